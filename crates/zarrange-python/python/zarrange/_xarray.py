"""Datasets of xarray: encoded as xarray encodes them, and read as they are stored wherever that is the same."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from zarrange import _native, _stored
from zarrange._sources import Source, SourceArray
from zarrange._stores import Name, Wanted, place
from zarrange._stores import token as stored_token
from zarrange._virtual import VirtualArray, pieces, token

#: Options that say how values are encoded, in the words of xarray.
_OF_VALUES = (*_stored._OF_VALUES, "coordinates", "grid_mapping")

#: What an encoding says of codecs.
_OF_CODECS = ("compressors", "filters", "serializer")

#: What an encoding says of a layout that is chosen anew, or of the file that was read.
_NOT_TAKEN = (
    "chunks",
    "shards",
    "preferred_chunks",
    "chunk_key_encoding",
    "write_empty_chunks",
    "cache_metadata",
)


def is_xarray(given: Any) -> bool:
    return type(given).__module__.split(".")[0] == "xarray"


def encoded(
    given: Any, target_chunks: Any, target_options: Mapping[str, Any] | None
) -> tuple[Source, dict[str, Any], dict[str, Any]]:
    """A dataset as a source; the chunks and the options of each of its variables, by path.

    Parameters
    ----------
    given : xarray.Dataset, xarray.DataTree, xarray.DataArray or xarray.Variable
    target_chunks : dict
        Lengths by dimension, chunks by variable (its path, in a tree), or both. For one array: a tuple, a dict by dimension, or None.
    target_options : dict, optional
        Options of `rechunk` and encodings of ``Dataset.to_zarr`` by variable. For one array: these.

    Raises
    ------
    KeyError
        For a key of `target_chunks` that is neither a variable nor a dimension.
    ValueError
        For anything that xarray does not write, or no `target_chunks`.
    """
    asked = given, target_chunks, target_options
    groups, alone = _groups(given)
    if alone is not None:
        target_chunks = {alone: target_chunks}
        target_options = {alone: target_options} if target_options else None
    options, encodings = _split(target_options or {})
    tree = _Tree(groups, encodings)
    chunks = _chunks(target_chunks, groups, tree)
    codecs = {path: tree.codecs(path, options.get(path, {})) for path in tree.arrays}
    unknown = {path: asked for path, asked in options.items() if path not in codecs}
    source = Source(
        tree.place,
        given,
        member=tree.member,
        computed=tuple(tree.computed),
        templates=tree.templates,
        again=(_again, asked),
        opened=lambda target: _opened(target, given, alone),
        roots=tree.roots,
        token=tree.token,
    )
    return source, chunks, codecs | unknown


def _again(given: Any, target_chunks: Any, target_options: Any) -> Source:
    return encoded(given, target_chunks, target_options)[0]


def _groups(given: Any) -> tuple[dict[str, Any], str | None]:
    """The datasets by path; the name of the array if it is one alone."""
    import xarray as xr

    if isinstance(given, xr.Variable):
        given = xr.DataArray(given)
    alone = None
    if isinstance(given, xr.DataArray):
        alone = str(given.name) if given.name is not None else "values"
        itself = alone in given.coords and given.coords[alone].identical(given)
        given = given.coords.to_dataset() if itself else given.to_dataset(name=alone)
    if isinstance(given, xr.Dataset):
        groups = {"": given}
    elif isinstance(given, xr.DataTree):
        groups = {
            "" if path == "." else path: node.to_dataset(inherit=False)
            for path, node in given.subtree_with_keys
        }
    else:
        raise ValueError(
            f"Source must be a Zarr Array, Zarr Group, Dask Array or Xarray Dataset: of xarray also a DataTree, a DataArray or a Variable (not {type(given)})"
        )
    for path, dataset in groups.items():
        for name in [*dataset.variables, *dataset.dims]:
            if not isinstance(name, str) or not name or "/" in name:
                raise ValueError(f"{name!r} in {path or 'the dataset'!r} is no name that Zarr has: rename it")
    return groups, alone


def _path(group: str, name: str) -> str:
    return f"{group}/{name}" if group else name


def _split(target_options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the target, and encodings of values, of each variable."""
    options: dict[str, dict[str, Any]] = {}
    encodings: dict[str, dict[str, Any]] = {}
    for path, asked in target_options.items():
        if "chunks" in asked:
            raise ValueError(
                f"Chunks must be provided in 'target_chunks' rather than options (variable={path})"
            )
        encodings[path] = {key: value for key, value in asked.items() if key in _OF_VALUES}
        options[path] = {key: value for key, value in asked.items() if key not in _OF_VALUES}
    return options, encodings


def _chunks(target_chunks: Any, groups: Mapping[str, Any], tree: _Tree) -> dict[str, Any]:
    """What is asked of each array: by its name, or else by the lengths of its dimensions. Coordinates are asked for by name only, for all of
    them are read when a dataset is opened."""
    if not isinstance(target_chunks, Mapping):
        raise ValueError(
            "You must specify ``target-chunks`` as a dict when rechunking a dataset: of lengths by dimension, or of chunks by variable "
            f"(got {target_chunks!r})"
        )
    dims = {str(dim) for dataset in groups.values() for dim in dataset.sizes}
    lengths = {
        key: value for key, value in target_chunks.items() if key in dims and isinstance(value, Integral)
    }
    named = {key: value for key, value in target_chunks.items() if key not in lengths}
    for key in named:
        if key not in tree.arrays:
            raise KeyError(
                f"target_chunks names {key!r}, which is neither a dimension ({', '.join(sorted(dims))}) with a length nor a variable "
                f"({', '.join(sorted(tree.arrays))})"
            )
    coordinates = {_path(group, name) for group, dataset in groups.items() for name in dataset.coords}
    asked: dict[str, Any] = {}
    for path, array in tree.arrays.items():
        if path in named:
            asked[path] = named[path]
        elif path in coordinates:
            asked[path] = None
        else:
            asked[path] = {dim: lengths[dim] for dim in array.dims or () if dim in lengths} or None
    return asked


@dataclass(frozen=True)
class _Collected:
    """What xarray would write: the data, encoded, and the array that it made for it in memory."""

    pairs: dict[str, tuple[Any, Any]]

    def add(self, data: Any, array: Any, region: Any = None) -> None:
        self.pairs[array.path] = (data, array)


class _Tree:
    """Datasets as a store of Zarr v3: the callbacks of it, for what is not stored anywhere else."""

    gets_parts = False

    stopped: Callable[[], bool] = staticmethod(lambda: False)

    def __init__(self, groups: Mapping[str, Any], encodings: Mapping[str, Any]) -> None:
        from zarr.storage import MemoryStore

        self._memory = MemoryStore()
        collected = _Collected({})
        stored: dict[str, _stored.Stored] = {}
        self._kept: dict[str, dict[str, Any]] = {}
        finder = _stored.Finder()
        for group, dataset in groups.items():
            self._encode((group, dataset), encodings, collected, (finder, stored))
        unknown = [path for path in encodings if path not in collected.pairs]
        if unknown:
            raise ValueError(f"target_options has options of {unknown[0]!r}, which is no variable")
        self.arrays: dict[str, SourceArray] = {}
        self.templates: dict[str, Any] = {}
        self.computed: dict[str, VirtualArray] = {}
        self._data: dict[str, Any] = {}
        #: What those are called of which nobody knows whether they hold the same another time.
        self._unknown = uuid.uuid4().hex
        self._stored: dict[str, _stored.Stored] = {}
        for path, (data, made) in collected.pairs.items():
            self.templates[path] = made
            if path in stored:
                self._take_stored(path, stored[path])
            else:
                self._compute(path, data)
        self._documents = self._made_documents()
        self._names = _names([*self._documents, *(f"{path}/zarr.json" for path in self.arrays)])

    def _encode(
        self,
        named: tuple[str, Any],
        encodings: Mapping[str, Any],
        collected: _Collected,
        looked: tuple[_stored.Finder, dict[str, _stored.Stored]],
    ) -> None:
        """Has xarray encode the dataset of a group, with a writer that writes nothing."""
        from xarray import conventions
        from xarray.backends.zarr import ZarrStore

        (group, dataset), (finder, stored) = named, looked
        store = ZarrStore.open_group(
            self._memory,
            mode="a",
            group=group or None,
            zarr_format=3,
            safe_chunks=False,
            consolidate_on_close=False,
        )
        variables, attributes = conventions.encode_dataset_coordinates(dataset)
        prepared = {}
        for name, variable in variables.items():
            path = _path(group, name)
            _check_type(path, variable, dataset.indexes.get(name))
            found = None if encodings.get(path) else finder.stored(variable)
            if found is not None and not _same_type(store.encode_variable(found.example), found.array):
                # Times that are stored as such, say: xarray makes numbers of them.
                found = None
            if found is not None:
                stored[path] = found
                variable = found.example
            else:
                variable = _lazily(variable)
            encoding = dict(variable.encoding) | encodings.get(path, {})
            self._kept[path] = {key: encoding.pop(key) for key in _OF_CODECS if key in encoding}
            for key in _NOT_TAKEN:
                encoding.pop(key, None)
            # Chunks are chosen by the plan; without any xarray looks for some.
            encoding["chunks"] = tuple(max(n, 1) for n in variable.shape)
            variable = variable.copy(deep=False)
            variable.encoding = encoding
            prepared[name] = variable
        store.store(prepared, attributes, writer=collected)

    def _take_stored(self, path: str, found: _stored.Stored) -> None:
        array = found.array
        chunks = getattr(array.metadata, "chunks", None) or array.chunks
        dims = tuple(map(str, found.example.dims))
        self.arrays[path] = SourceArray(path, array.shape, tuple(chunks), dims)
        self._stored[path] = found

    def _compute(self, path: str, data: Any) -> None:
        virtual = VirtualArray(data, like=self.templates[path])
        virtual.stopped = lambda: self.stopped()
        self.computed[path] = virtual
        self._data[path] = data
        self.arrays[path] = replace(virtual.described, path=path)

    def member(self, path: str) -> SourceArray:
        return self.arrays[path]

    @property
    def roots(self) -> list[str]:
        """The folders of this machine that arrays are read from."""
        places = (place(found.array.store_path.store) for found in self._stored.values())
        return sorted({found for found in places if isinstance(found, str)})

    def token(self) -> str:
        """What is the same for the same values, as far as that is known without reading them."""
        import numpy

        told = {path: stored_token(found.array.store_path) for path, found in self._stored.items()}
        for path, data in self._data.items():
            is_known = isinstance(data, numpy.ndarray) or hasattr(data, "__dask_graph__")
            told[path] = token(data) if is_known else self._unknown
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]

    def codecs(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The options of an array, with codecs where it is not read as it is stored."""
        kept = {key: _without_types(value) for key, value in self._kept[path].items()}
        if path in self._stored:
            now = self._stored[path].variable.encoding
            if all(repr(self._kept[path].get(key)) == repr(now.get(key)) for key in _OF_CODECS):
                return dict(asked)
        options = {"compressors": "auto"} | kept | dict(asked)
        if "compressor" in asked:
            del options["compressors"]
        return options

    def place(self, backend: str) -> Any:
        """The store, of which what is stored is read by the engine itself."""
        base = _native.CallbackStore(self, "<xarray>")
        parts = [
            (path, place(found.array.store_path.store, found.array.path), [_document_name(found.array)])
            for path, found in self._stored.items()
        ]
        for _, found, _ in parts:
            if isinstance(found, tuple):
                found[0].callbacks.stopped = lambda: self.stopped()
        return (base.joined(parts, backend), "")

    def _made_documents(self) -> dict[str, bytes]:
        """The documents of groups, and of arrays that are stored with what the dataset says of them."""
        documents = {}
        for key, value in self._memory._store_dict.items():
            path = key.removesuffix("zarr.json").rstrip("/")
            if key.endswith("zarr.json") and path not in self.arrays:
                documents[key] = value.to_bytes()
        root = json.loads(documents["zarr.json"])
        # As xarray does: readers of the target need not look at each of its arrays.
        root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": {}}
        documents["zarr.json"] = json.dumps(root).encode()
        for path, found in self._stored.items():
            attributes = self.templates[path].attrs.asdict()
            dims = self.arrays[path].dims
            if found.array.metadata.zarr_format == 2:
                document: Any = attributes | {"_ARRAY_DIMENSIONS": dims}
            else:
                document = found.array.metadata.to_dict() | {
                    "attributes": attributes,
                    "dimension_names": dims,
                }
            documents[f"{path}/{_document_name(found.array)}"] = json.dumps(document).encode()
        return documents

    def get(self, wanted: list[Wanted]) -> list[Any]:
        answers: list[Any] = [None] * len(wanted)
        of_arrays: dict[str, list[int]] = {}
        for at, (key, what, begin, end) in enumerate(wanted):
            path = self._array_of(key)
            if key in self._documents:
                document = self._documents[key]
                answers[at] = (
                    len(document) if what == "size" else document[begin:end] if what == "range" else document
                )
            elif path is not None:
                of_arrays.setdefault(path, []).append(at)
        for path, places in of_arrays.items():
            asked = [(wanted[at][0].removeprefix(f"{path}/"), *wanted[at][1:]) for at in places]
            for at, answer in zip(places, self.computed[path].get(asked), strict=True):
                answers[at] = answer
        return answers

    def _array_of(self, key: str) -> str | None:
        """The computed array that a key is in."""
        return next((path for path in _around(key) if path in self.computed), None)

    def put(self, objects: list[tuple[str, bytes]]) -> list[BaseException | None]:
        return [PermissionError("a dataset cannot be written") for _ in objects]

    def delete(self, key: str) -> None:
        raise PermissionError("a dataset cannot be written")

    def list(self, prefix: str) -> list[Name]:
        path = self._array_of(prefix) if prefix else None
        if path is not None:
            return self.computed[path].list(prefix.removeprefix(path).lstrip("/"))
        return self._names.get(prefix, [])


def _around(key: str) -> Iterator[str]:
    """A key, and the prefixes around it."""
    while key:
        yield key
        key = key.rpartition("/")[0]


def _names(keys: list[str]) -> dict[str, list[Name]]:
    """What lies directly below each prefix of `keys`."""
    below: dict[str, dict[str, bool]] = {}
    for key in keys:
        for inner in _around(key):
            around, _, name = inner.rpartition("/")
            below.setdefault(around, {}).setdefault(name, inner == key)
    return {
        prefix: [(name, is_object, None) for name, is_object in names.items()]
        for prefix, names in below.items()
    }


def _document_name(array: Any) -> str:
    return ".zattrs" if array.metadata.zarr_format == 2 else "zarr.json"


def _check_type(path: str, variable: Any, index: Any) -> None:
    """Raises a ValueError for what no array of Zarr holds."""
    import numpy as np

    if getattr(index, "nlevels", 1) > 1:
        raise ValueError(
            f"variable {path!r} has an index of several levels: reset_index makes each of them a coordinate"
        )
    if not isinstance(variable.dtype, np.dtype):
        raise ValueError(
            f"variable {path!r} has elements of type {variable.dtype}, which Zarr does not have: convert it first, with astype"
        )


def _same_type(encoded: Any, array: Any) -> bool:
    """Whether what xarray would write has elements of the type that is stored."""
    types = ("text" if one.dtype.kind in "OT" else one.dtype.newbyteorder("<") for one in (encoded, array))
    return next(types) == next(types)


def _without_types(codecs: Any) -> Any:
    """Codecs of Zarr v2, without those that only say of which type elements are."""
    if not isinstance(codecs, (list, tuple)):
        return codecs
    return [codec for codec in codecs if not str(getattr(codec, "codec_id", "")).startswith("vlen-")]


def _lazily(variable: Any) -> Any:
    """A variable that is encoded chunk by chunk where it is not in memory: encoding it as it is would load all of it."""
    if variable._in_memory or hasattr(variable._data, "__dask_graph__"):
        return variable
    try:
        import dask.array  # noqa: F401
    except ModuleNotFoundError:
        # As xarray does without dask.
        return variable.copy(deep=False).compute()
    return variable.chunk(dict(zip(variable.dims, _chunks_of(variable), strict=True)))


def _chunks_of(variable: Any) -> list[int]:
    """The chunks that a variable is read in, or pieces of a fitting size."""
    data = variable._data
    while hasattr(data, "array"):
        data = data.array
    array = data.get_array() if hasattr(data, "get_array") else None
    chunks: Any = getattr(array, "chunks", None)
    if not chunks or len(chunks) != variable.ndim:
        preferred = variable.encoding.get("preferred_chunks", {})
        chunks = [preferred.get(dim, n) for dim, n in zip(variable.dims, pieces(variable), strict=True)]
    return [max(1, min(n, size)) for n, size in zip(chunks, variable.shape, strict=True)]


def _opened(target: Any, given: Any, alone: str | None) -> Any:
    """The target as xarray opens it."""
    import xarray as xr

    options: dict[str, Any] = {"group": target.path or None}
    if isinstance(given, xr.DataTree):
        chunks: dict[str, int] | None = {} if _has_dask() else None
        return xr.open_datatree(target.store, engine="zarr", chunks=chunks, **options)
    dataset = xr.open_zarr(target.store, **options)
    return dataset if alone is None else dataset[alone]


def _has_dask() -> bool:
    import importlib.util

    return importlib.util.find_spec("dask") is not None


def check_apart(roots: list[str], target: Any) -> None:
    """Raises a ValueError if the target is one of the stores that are read, in it, or around it."""
    if not isinstance(target.place, str):
        return
    there = os.path.realpath(target.place)
    for root in map(os.path.realpath, roots):
        if os.path.commonpath([root, there]) in (root, there):
            raise ValueError(f"target_store {target} is, or overlaps, {root}, which the dataset is read from")
