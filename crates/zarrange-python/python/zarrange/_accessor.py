"""``dataset.zarrange``: what can be done with a dataset, without naming it again."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class Accessor:
    """Rechunks a dataset, a tree of them, or an array of one: ``dataset.zarrange.rechunk({"object": 20}, "1GB", "by-object.zarr")``."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def rechunk(
        self, target_chunks: Any, max_mem: str | int | None = None, target_store: Any = None, **options: Any
    ) -> Any:
        """Rechunks and returns the target, opened: ``zarrange.rechunk(dataset, ...).execute()``.

        Parameters
        ----------
        target_chunks : dict or tuple
            Lengths by dimension, or chunks by variable.
        max_mem : str, int or None
            Memory for data, of all threads together.
        target_store : str, path, MutableMapping, zarr Store or zarr.Group
            Where the target goes.
        **options
            As those of `zarrange.rechunk`.

        Returns
        -------
        xarray.Dataset, xarray.DataTree or xarray.DataArray
        """
        return self.plan(target_chunks, max_mem, target_store, **options).execute()

    def plan(
        self, target_chunks: Any, max_mem: str | int | None = None, target_store: Any = None, **options: Any
    ) -> Any:
        """Plans the same and writes nothing: what is returned has the costs, and ``execute()``."""
        from zarrange._rechunk import rechunk

        if target_store is None:
            raise ValueError("target_store says where the target goes: a path, a URL or a store")
        return rechunk(self._given, target_chunks, max_mem, target_store, **options)


def register(xarray: ModuleType) -> None:
    """Gives datasets their accessor."""
    for kind in ("dataset", "dataarray", "datatree"):
        getattr(xarray, f"register_{kind}_accessor")("zarrange")(Accessor)


def register_when_imported() -> None:
    """Gives datasets their accessor, now or as soon as xarray is imported: importing it takes longer than all else here."""
    xarray = sys.modules.get("xarray")
    if xarray is not None and hasattr(xarray, "register_datatree_accessor"):
        register(xarray)
    else:
        sys.meta_path.insert(0, _Watch())


class _Watch:
    """Sees xarray being imported, and leaves the work to whoever does it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "xarray":
            return None
        import importlib.util

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader)  # type: ignore[assignment]
        return spec


class _Registering:
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # What is imported later finds the loader that it expects.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        register(module)
