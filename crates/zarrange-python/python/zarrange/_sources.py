"""What can be rechunked, whatever it is: a place, and the arrays in it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from zarrange import _stores

#: Where something lies, as the extension knows it: a path, or a store and a key in it.
Place = Any

#: Chunks of an array in a store that lists nothing: each may be there.
NAMED_AT_MOST = 1_000_000


@dataclass(frozen=True)
class SourceArray:
    """What must be known of an array to ask for its chunks."""

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dims: tuple[str | None, ...] | None
    #: Its chunks differ in length, and `chunks` is the largest.
    irregular: bool = False
    shards: tuple[int, ...] | None = None

    @property
    def called(self) -> str:
        return f"array {self.path!r}" if self.path else "the array"


@dataclass(frozen=True)
class Source:
    """Something to be rechunked.

    `array` is the array that it is; for a group, `member` finds one by its name.
    """

    #: Where it lies, or what tells that of a backend.
    place: Place | Callable[[str], Place]
    shown: Any
    array: SourceArray | None = None
    member: Callable[[str], SourceArray] | None = None
    unnamed: Callable[[set[str]], list[str]] = field(default=lambda named: [])
    #: Which variables of a dataset are computed; the others are read as they are stored.
    computed: tuple[str, ...] = ()
    #: Arrays of a group that codecs are chosen for; `shown` has them without it.
    templates: Mapping[str, Any] | None = None
    #: What makes it anew, in another process.
    again: tuple[Callable[..., Source], tuple[Any, ...]] | None = None
    #: What opens the target, if that is not zarr.
    opened: Callable[[Any], Any] | None = None
    #: What tells whether it holds the same another time, if that is known.
    token: Callable[[], str] | None = None
    #: Folders that are read, beside `place`.
    roots: list[str] = field(default_factory=list)

    def placed(self, backend: str = "auto") -> Place:
        """Where it lies, its files read by `backend`."""
        return self.place(backend) if callable(self.place) else self.place

    def template(self, name: str) -> Any:
        return (self.shown if self.templates is None else self.templates)[name]

    def named(self, unknown: str) -> str | None:
        """What a plan for other processes calls it; None of a folder, which they open themselves.

        What holds something else another time is called otherwise then, for receipts of it are of no use. What nobody can tell that of is called `unknown`.
        """
        if isinstance(self.place, str):
            return None
        kind = type(self.shown)
        return f"{kind.__module__}.{kind.__name__}/{self.token() if self.token else unknown}"

    @property
    def kind(self) -> str:
        return "array" if self.array is not None else "group"


def source(given: Any, storage_options: dict[str, Any] | None = None) -> Source:
    """The source that a user means.

    Raises
    ------
    ValueError
        If it is nothing that can be rechunked.
    """
    import numpy
    import zarr
    import zarr.abc.store

    if isinstance(given, (str, os.PathLike)):
        store, path = _stores.opened(given, storage_options, mode="r")
        given = zarr.open(store, path=path, mode="r")
    elif isinstance(given, (zarr.abc.store.Store, MutableMapping)):
        given = zarr.open(_stores.zarr_store(given), mode="r")
    if isinstance(given, zarr.Array):
        return Source(
            _place(given), given, array=_of_zarr("", given), token=lambda: _stores.token(given.store_path)
        )
    if isinstance(given, zarr.Group):
        return _group(given)
    from zarrange import _virtual, _xarray

    if _xarray.is_xarray(given):
        return _xarray.encoded(given, {}, None)[0]
    if _virtual.is_array(given):
        virtual = _virtual.VirtualArray(given)
        is_known = hasattr(given, "__dask_tokenize__") or isinstance(given, numpy.ndarray)
        token = (lambda: _virtual.token(given)) if is_known else None
        return Source((virtual.store(), ""), given, array=virtual.described, token=token)
    raise ValueError(
        f"Source must be a Zarr Array, Zarr Group, Dask Array or Xarray Dataset, or the path, URL or store of an array or group (not {type(given)}); "
        "of other arrays: what has shape, dtype, chunks and is sliced"
    )


def _of_zarr(path: str, array: Any) -> SourceArray:
    chunks = getattr(array.metadata, "chunks", None) or array.chunks
    try:
        shards = array.shards
    except NotImplementedError:  # they differ in length
        shards = None
    return SourceArray(path, array.shape, tuple(chunks), _dims(array), shards=shards)


def _dims(array: Any) -> tuple[str | None, ...] | None:
    dims = getattr(array.metadata, "dimension_names", None)
    if dims is None:
        dims = array.attrs.get("_ARRAY_DIMENSIONS")
    return None if dims is None else tuple(dims)


def _group(group: Any) -> Source:
    import zarr

    def member(name: str) -> SourceArray:
        found = group.get(name)
        if not isinstance(found, zarr.Array):
            what = "is a group" if found is not None else "is not there"
            raise KeyError(f"target_chunks names the array {name!r}, which {what} in {group!r}")
        return _of_zarr(name, found)

    def unnamed(named: set[str]) -> list[str]:
        members = group.members(max_depth=None)
        return sorted(name for name, found in members if isinstance(found, zarr.Array) and name not in named)

    return Source(
        _place(group), group, member=member, unnamed=unnamed, token=lambda: _stores.token(group.store_path)
    )


def _place(node: Any) -> Place:
    """Where an array or group lies. In a store that lists nothing, what its metadata names is looked for."""
    store = node.store_path.store
    if _stores.lists(store):
        return _stores.place(store, node.path)
    found = {"": node.metadata}
    if not hasattr(node, "chunks"):
        consolidated = node.metadata.consolidated_metadata
        if consolidated is None:
            raise NotImplementedError(
                f"{node}: its store does not tell what is in it: give one array after the other, or a group with consolidated metadata"
            )
        found |= consolidated.flattened_metadata
    named = [
        "/".join(part for part in (node.path, path, key) if part)
        for path, metadata in found.items()
        for key in _keys(metadata, path)
    ]
    return _stores.place(store, node.path, named)


def _keys(metadata: Any, path: str) -> list[str]:
    """The keys of documents, and of all chunks that there may be."""
    is_array = hasattr(metadata, "shape")
    v2 = [".zarray" if is_array else ".zgroup", ".zattrs"]
    documents = ["zarr.json"] if metadata.zarr_format == 3 else v2
    if not is_array:
        return documents
    objects = metadata.shards or metadata.chunks
    counts = [-(-size // length) for size, length in zip(metadata.shape, objects, strict=True)]
    if math.prod(counts) > NAMED_AT_MOST:
        raise NotImplementedError(
            f"array {path!r} has {math.prod(counts)} chunks, in a store that does not tell which of them there are: at most {NAMED_AT_MOST} are "
            "looked for"
        )
    return documents + [metadata.encode_chunk_key(at) for at in product(*map(range, counts))]
