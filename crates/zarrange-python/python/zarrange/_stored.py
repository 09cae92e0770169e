"""Whether a variable of xarray is an array of Zarr, as it is stored.

Then its chunks can be moved as they are. An encoding proves nothing, for it survives ``ds.flux * 2``: the proof is how xarray would read the variable.
Every step of that is looked at by its exact type, and whatever is not known here is computed instead, which is always right.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

#: What of an encoding says how values become what is stored.
_OF_VALUES = (
    "dtype",
    "scale_factor",
    "add_offset",
    "_FillValue",
    "missing_value",
    "units",
    "calendar",
    "_Unsigned",
    "fill_value",
)


@dataclass(frozen=True)
class Stored:
    """An array of Zarr that is a variable."""

    #: The array as it is now, whatever metadata the variable was opened with.
    array: Any
    #: The variable that xarray makes of the array now.
    variable: Any
    #: A variable of one element that is encoded as the variable is.
    example: Any


class Finder:
    """Finds the arrays that variables are. A group is opened once for all of its variables, for xarray then opens every one of them."""

    def __init__(self) -> None:
        self._opened: dict[tuple[int, str], Any] = {}

    def stored(self, variable: Any) -> Stored | None:
        """The array that `variable` is; None if that cannot be proved."""
        try:
            found = _read(variable._data)
            if found is None:
                return None
            with warnings.catch_warnings():
                # They were given when the variable was opened.
                warnings.simplefilter("ignore")
                return self._encoded_alike(variable, *found)
        except (AttributeError, ImportError, FileNotFoundError, KeyError):
            # Another xarray, or the array is not there any more.
            return None

    def _group(self, array: Any, path: str) -> Any:
        """The group around an array, as xarray opens it."""
        from xarray.backends.zarr import ZarrStore

        store = array.store_path.store
        # What is opened keeps its store, so that no other one gets the same number.
        key = id(store), path
        if key not in self._opened:
            self._opened[key] = ZarrStore.open_group(store, mode="r", group=path or None, consolidated=False)
        return self._opened[key]

    def _encoded_alike(self, variable: Any, array: Any, decoded: str) -> Stored | None:
        """The array, if encoding what `variable` holds would give what is stored."""
        from xarray import Variable, conventions

        group, _, name = array.path.rpartition("/")
        opened = self._group(array, group).open_store_variable(name)
        now = conventions.decode_cf_variable(name, opened)
        found = _read(now._data)
        if found is None or found[1] != decoded or (now.shape, now.dtype) != (variable.shape, variable.dtype):
            return None
        if any(_told(variable.encoding.get(key)) != _told(now.encoding.get(key)) for key in _OF_VALUES):
            return None
        one = _one(opened)
        if one is None:
            return None
        example = conventions.decode_cf_variable(
            name, Variable(opened.dims, one, opened.attrs, opened.encoding)
        )
        return Stored(
            found[0], now, Variable(variable.dims, example.values, variable.attrs, dict(variable.encoding))
        )


def _read(data: Any) -> tuple[Any, str] | None:
    """The array that is read, all of it and in its order, and how its elements are decoded."""
    from xarray.backends.zarr import ZarrArrayWrapper
    from xarray.coding.common import _ElementwiseFunctionArray
    from xarray.coding.variables import BoolTypeArray, NativeEndiannessArray
    from xarray.core.indexing import (
        CopyOnWriteArray,
        LazilyIndexedArray,
        MemoryCachedArray,
    )

    if type(data).__module__.split(".")[0] == "dask":
        data = _under_dask(data)
    if type(data) is MemoryCachedArray:
        data = data.array
    if type(data) is CopyOnWriteArray:
        if data._copied:
            return None
        data = data.array
    decoded = []
    while type(data) in (_ElementwiseFunctionArray, NativeEndiannessArray, BoolTypeArray):
        function = getattr(data, "func", None)
        name = getattr(getattr(function, "func", function), "__qualname__", None)
        keywords = getattr(function, "keywords", {})
        told = {key: _told(value) for key, value in keywords.items()}
        decoded.append((type(data).__name__, name, told, _told(data.dtype)))
        data = data.array
    if type(data) is not LazilyIndexedArray:
        return None
    wrapped: Any = data.array
    if type(wrapped) is not ZarrArrayWrapper or not _is_all(data.key, wrapped.shape):
        return None
    return wrapped.get_array(), repr(decoded)


def _under_dask(data: Any) -> Any:
    """What a dask array reads chunk by chunk, with nothing done to it."""
    from dask.highlevelgraph import HighLevelGraph
    from xarray.core.indexing import ImplicitToExplicitIndexingAdapter

    graph, original = data.dask, f"original-{data.name}"
    # Whatever is done to an array adds a layer.
    if type(graph) is not HighLevelGraph or set(graph.layers) != {data.name, original}:
        return None
    read = graph.layers[original][original]
    read = getattr(read, "value", read)
    if type(read) is not ImplicitToExplicitIndexingAdapter:
        return None
    return read.array if (read.shape, read.dtype) == (data.shape, data.dtype) else None


def _is_all(key: Any, shape: tuple[int, ...]) -> bool:
    from xarray.core.indexing import BasicIndexer

    return (
        type(key) is BasicIndexer
        and len(key.tuple) == len(shape)
        and all(
            isinstance(k, slice) and k.indices(n) == (0, n, 1) for k, n in zip(key.tuple, shape, strict=True)
        )
    )


def _told(value: Any) -> str:
    """A value, so that NaN is NaN, and that a type is the same after it was pickled."""
    import numpy as np

    return value.str if isinstance(value, np.dtype) else repr(value)


def _one(variable: Any) -> Any:
    """One element of the type of a variable, of as many dimensions."""
    import numpy as np
    from xarray.coding.strings import check_vlen_dtype

    shape = (1,) * variable.ndim
    if variable.dtype.kind != "O":
        return np.zeros(shape, variable.dtype)
    text = check_vlen_dtype(variable.dtype)
    return None if text is None else np.full(shape, text(), variable.dtype)
