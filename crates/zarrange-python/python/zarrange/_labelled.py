"""Stores of light curves as xarray sees them: with labels, and lazily where that may be large."""

from __future__ import annotations

from typing import Any

import numpy as np

from zarrange import _tables
from zarrange._contributions import Schema

#: What says that stored numbers are not those that xarray shows.
_DECODED = ("scale_factor", "add_offset", "missing_value", "units", "calendar", "_Unsigned")


class Labelled:
    """A store as a lazy Dataset, opened once."""

    def __init__(self, store: Any, path: str, schema: Schema, what: str) -> None:
        import zarr

        xarray = _tables.module("xarray", what)
        group = zarr.open_group(store, path=path or None, mode="r")
        consolidated = group.metadata.consolidated_metadata is not None
        opened = xarray.open_dataset(
            store,
            engine="zarr",
            group=path or None,
            consolidated=consolidated,
            create_default_indexes=False,
        )
        size = schema.sizes[schema.epochs]
        if opened.sizes[schema.epochs] < size:
            raise RuntimeError(f"epochs are being added to {store}: open it again")
        if opened.sizes[schema.epochs] > size:
            # Those that were added since the store was opened.
            opened = opened.isel({schema.epochs: slice(size)})
        self._schema = schema
        self._whole: Any = None
        # Labels of objects, which may be many, are read when somebody looks for one by xarray.
        self._lazy = _indexed(opened, [name for name in schema.sizes if name != "object"])

    @property
    def whole(self) -> Any:
        """All of it, with an index along every dimension that has labels."""
        if self._whole is None:
            self._whole = _indexed(self._lazy, ["object"])
        # What is loaded of a copy is kept there, and not here, where others may change it.
        return self._whole.copy()

    def curve(self, picked: dict[str, int]) -> Any:
        """What is at some places, with its labels, nothing of it read."""
        return self._with_numbers(self._lazy.isel(picked), picked)

    def part(self, picked: dict[str, Any]) -> Any:
        """The same with an index along objects."""
        return self._with_numbers(self.whole.isel(picked), picked)

    def _with_numbers(self, found: Any, picked: dict[str, Any]) -> Any:
        """Numbers are the labels of what has none."""
        for name, at in picked.items():
            if name not in self._schema.labels and name not in found.coords:
                found = found.assign_coords({name: at if np.ndim(at) == 0 else (name, np.asarray(at))})
        return found


def _indexed(dataset: Any, names: list[str]) -> Any:
    for name in names:
        if name in dataset.coords and name in dataset.dims and name not in dataset.xindexes:
            dataset = dataset.set_xindex(name)
    return dataset


def is_plain(variable: Any) -> bool:
    """Whether what xarray shows of a variable are the numbers that are stored."""
    encoding = variable.encoding
    fill = encoding.get("_FillValue")
    is_nan = fill is None or (np.ndim(fill) == 0 and fill != fill)
    return is_nan and not any(name in encoding for name in _DECODED)
