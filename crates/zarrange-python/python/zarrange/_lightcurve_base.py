"""An open store of light curves: what filling and reading it share."""

from __future__ import annotations

import os
from typing import Any

from zarrange import _contributions, _native, _process, _stores
from zarrange._labelled import Labelled
from zarrange._making import label
from zarrange._sizes import parse_bytes


class Base:
    """A store of light curves that is open."""

    def __init__(self, path: Any, *, storage_options: dict[str, Any] | None = None) -> None:
        if isinstance(path, (str, os.PathLike)):
            self._store, self._group = _stores.opened(path, storage_options, mode="r")
        else:
            self._store, self._group = _stores.zarr_store(path), ""
        self._place = _stores.place(self._store, self._group)
        #: Where it lies: of a folder of this machine its path, of another place what zarr calls it.
        self.path: str = self._place if isinstance(self._place, str) else str(self._store)
        self._given = (self.path if isinstance(self._place, str) else path, storage_options)
        self._reopen()

    def _reopen(self) -> None:
        _process.check_loop()
        self._opened = _native.LightCurves(self._place, _process.backend("auto"))
        self._process = os.getpid()
        self._schema = _contributions.Schema.of(self._opened.schema())
        self._as_labelled: Labelled | None = None
        self._known_labels: dict[str, list[str]] = {}

    @property
    def _native(self) -> Any:
        _process.check_loop()
        # What was opened before a fork has threads that are not in this process.
        if self._process != os.getpid():
            self._reopen()
        return self._opened

    def _number(self, name: str, key: Any, index: int | None = None) -> int:
        """The number of what `key` names along a dimension, or `index`."""
        if name not in self._schema.sizes:
            raise KeyError(f"the store has no dimension {name!r}: it has {', '.join(self._schema.sizes)}")
        if index is None:
            return int(self._native.places(name, [label(key, name)], max_mem_of(None))[0])
        size = self._schema.sizes[name]
        if key is not None:
            raise ValueError(f"a label of {name} and its index are given: give one of them")
        if not 0 <= index < size:
            raise IndexError(f"index={index} is out of range: there are {size} along {name}, from 0")
        return index

    def _labels_of(self, name: str) -> list[str]:
        """Labels of a dimension that has few; numbers, where there are none."""
        if name not in self._known_labels:
            self._known_labels[name] = self._native.labels(name, max_mem_of(None))
        return self._known_labels[name]

    def _value_labels(self) -> list[str]:
        return self._labels_of("value") if "value" in self._schema.sizes else list(self._schema.values)

    def _check_writable(self) -> None:
        """Anybody can read a store of another place; only folders of this machine have locks."""
        if not isinstance(self._place, str):
            raise ValueError(
                f"{self.path} cannot be filled: contributions of several could be lost where there are no locks; fill a store in a folder"
            )

    def _labelled(self, what: str) -> Labelled:
        if self._as_labelled is None:
            self._as_labelled = Labelled(self._store, self._group, self._schema, what)
        return self._as_labelled

    def __reduce__(self) -> Any:
        return _opened, (type(self), *self._given)

    def __repr__(self) -> str:
        sizes = " x ".join(f"{size} {name}" for name, size in self._schema.sizes.items())
        return f"<LightcurveStorage {self.path}: {', '.join(self._schema.values)} over {sizes}>"


def _opened(cls: type[Base], path: Any, storage_options: dict[str, Any] | None) -> Base:
    """A store that was pickled: it is opened again where it comes to."""
    return cls(path, storage_options=storage_options)


def max_mem_of(given: str | int | None) -> int:
    """Memory in bytes; half of what is available, where none is given."""
    return _native.default_max_mem() if given is None else parse_bytes(given)
