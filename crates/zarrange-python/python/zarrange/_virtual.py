"""Arrays that are computed when they are asked for, as stores: what is sliced like an array can be rechunked like one.

The engine sees an array without compression. A chunk of it is what ``source[slices]`` gives when the chunk is asked for, so planning, the
bound on memory and verification hold for it as for any other.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

from zarrange import _dask, _native, _stopping
from zarrange._sources import SourceArray
from zarrange._stores import Name, Wanted

#: Chunks of a dask array that are computed together.
TOGETHER = 8

#: What an array without chunks is asked for at once.
PIECE_BYTES = 8 << 20


def is_array(given: Any) -> bool:
    """Whether it is sliced like an array, and says what it holds."""
    has = all(hasattr(given, name) for name in ("shape", "dtype", "__getitem__"))
    return has and isinstance(given.shape, tuple)


class VirtualArray:
    """An array of chunks that are computed.

    Parameters
    ----------
    array : array-like
        What has `shape`, `dtype` and slices; its `chunks` are those of dask (lengths along each dimension) or of zarr (one shape). Without any it is
        asked for pieces of up to `PIECE_BYTES`.

    like : zarr.Array, optional
        What says how elements are stored, and the attributes: an array in memory. Without it that follows from the type of `array`.

    Raises
    ------
    ValueError
        If its shape is not known, or its type has no place in Zarr.
    """

    #: Whether nobody waits for chunks any more.
    stopped: Callable[[], bool] = staticmethod(lambda: False)

    #: All of a chunk is computed, however little of it is asked for.
    gets_parts = False

    def __init__(self, array: Any, like: Any = None) -> None:
        self._array = array
        self._dask = _dask.Chunks(array) if _is_of_dask(array) else None
        self._edges = [_edges(lengths) for lengths in _lengths(array)]
        largest = tuple(max((b - a for a, b in pairwise(edges)), default=1) for edges in self._edges)
        self._regular = self._is_regular(largest)
        dims = _dims(array) if like is None else like.metadata.dimension_names
        self.described = SourceArray("", tuple(array.shape), largest, dims, irregular=not self._regular)
        self._template = _Template(array, largest, dims, like)
        document = self._template.document
        if not self._regular:
            document["chunk_grid"] = {
                "name": "rectilinear",
                "configuration": {
                    "kind": "inline",
                    "chunk_shapes": [[b - a for a, b in pairwise(edges)] for edges in self._edges],
                },
            }
        self._document = json.dumps(document).encode()

    def _is_regular(self, chunk: tuple[int, ...]) -> bool:
        return all(
            b - a == length
            for edges, length in zip(self._edges, chunk, strict=True)
            for a, b in pairwise(edges[:-1])
        )

    def store(self) -> Any:
        """The array as a store of the extension."""
        return _native.CallbackStore(
            self, f"<{type(self._array).__module__}.{type(self._array).__qualname__}>"
        )

    def get(self, wanted: list[Wanted]) -> list[Any]:
        places = [self._slices(key) if what != "size" else None for key, what, *_ in wanted]
        computed = self._computed([place for place in places if place is not None])
        answers: list[Any] = []
        failed: Exception | None = None
        for one, place in zip(wanted, places, strict=True):
            try:
                # What comes after one that failed is not computed.
                answers.append(failed if failed and place else self._answer(one, place, computed))
            except Exception as error:  # noqa: BLE001, it is raised where the chunk was asked for
                failed = error
                answers.append(error)
        return answers

    def _answer(self, wanted: Wanted, place: tuple[slice, ...] | None, computed: Iterator[Any]) -> Any:
        key, what, begin, end = wanted
        if what == "size":
            return self._size(key)
        found: Any = self._document if key == "zarr.json" else None
        if place is not None:
            found = self._template.encoded(next(computed), place, self._shape(place))
        return found[begin:end] if what == "range" and found is not None else found

    def _size(self, key: str) -> Any:
        """The bytes of an object; all of it where only that tells."""
        if key == "zarr.json":
            return len(self._document)
        place = self._slices(key)
        if place is None:
            return None
        size = self._template.bytes(self._shape(place))
        return self.get([(key, "whole", 0, 0)])[0] if size is None else size

    def _shape(self, place: tuple[slice, ...]) -> tuple[int, ...]:
        """The shape of a chunk: those at the end of a regular grid are whole."""
        return self.described.chunks if self._regular else tuple(s.stop - s.start for s in place)

    def _computed(self, places: list[tuple[slice, ...]]) -> Iterator[Any]:
        """The elements at `places`, as they are needed."""
        while places:
            blocks = _stopping.computed(self.stopped, self._first, places)
            places = places[len(blocks) :]
            yield from blocks

    def _first(self, places: list[tuple[slice, ...]]) -> Sequence[Any]:
        """The elements at the first of `places`: some of dask together, of others one."""
        if self._dask is not None:
            return self._dask.computed(self.stopped, [self._numbers(place) for place in places[:TOGETHER]])
        first = self._array[places[0]]
        if not hasattr(first, "__dask_graph__"):
            return [first]
        return _dask.collections(self.stopped, [first, *(self._array[place] for place in places[1:TOGETHER])])

    def _numbers(self, place: tuple[slice, ...]) -> tuple[int, ...]:
        """Which chunk is at `place`."""
        return tuple(bisect_left(edges, s.start) for edges, s in zip(self._edges, place, strict=True))

    def _slices(self, key: str) -> tuple[slice, ...] | None:
        """The elements of the chunk at `key`."""
        first, *numbers = key.split("/")
        if first != "c" or len(numbers) != len(self._edges):
            return None
        try:
            at = [int(number) for number in numbers]
            return tuple(slice(edges[k], edges[k + 1]) for edges, k in zip(self._edges, at, strict=True))
        except (ValueError, IndexError):
            return None

    def put(self, objects: list[tuple[str, bytes]]) -> list[BaseException | None]:
        return [PermissionError("an array that is computed cannot be written") for _ in objects]

    def delete(self, key: str) -> None:
        raise PermissionError("an array that is computed cannot be written")

    def list(self, prefix: str) -> list[Name]:
        rank = len(self._edges)
        if not prefix:
            return [("zarr.json", True, len(self._document)), ("c", rank == 0, None)]
        depth = len(prefix.split("/")) - 1
        if not prefix.startswith("c") or depth >= rank or 0 in self.described.shape:
            return []
        return [(str(k), depth + 1 == rank, None) for k in range(len(self._edges[depth]) - 1)]


def token(array: Any) -> str:
    """What is the same for the same elements: of dask the names of its tasks, of an array in memory what it holds."""
    import numpy

    if not isinstance(array, numpy.ndarray):
        from dask.base import tokenize

        return str(tokenize(array))
    held = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
    return hashlib.sha256(repr((array.dtype, array.shape)).encode() + held).hexdigest()[:32]


def _is_of_dask(array: Any) -> bool:
    if "dask.array" not in sys.modules:
        return False
    import dask.array

    return type(array) is dask.array.Array


def _lengths(array: Any) -> list[list[int]]:
    """The lengths of chunks along each dimension, without those of nothing."""
    chunks: Any = getattr(array, "chunks", None) or pieces(array)
    if len(chunks) != len(array.shape):
        raise ValueError(
            f"{type(array)} has shape {array.shape} and chunks {chunks}: as many are needed as dimensions"
        )
    all_lengths = []
    for size, lengths in zip(array.shape, chunks, strict=True):
        if size != size:  # noqa: PLR0124, NaN
            raise ValueError(
                f"{array!r} has a shape that is not known: compute its chunk sizes first (compute_chunk_sizes)"
            )
        if hasattr(lengths, "__index__"):
            lengths = [min(lengths, size - at) for at in range(0, size, max(lengths, 1))]
        lengths = [int(length) for length in lengths if length > 0]
        if sum(lengths) != size:
            raise ValueError(
                f"{type(array)} has chunks of {lengths} along a dimension of {size}: they do not add up"
            )
        all_lengths.append(lengths)
    return all_lengths


def pieces(array: Any) -> list[int]:
    """A shape of pieces that follow each other in memory."""
    piece = [int(size) for size in array.shape]
    for d, size in enumerate(piece):
        rest = math.prod(piece[d + 1 :]) * array.dtype.itemsize
        piece[d] = max(1, min(size, PIECE_BYTES // max(rest, 1)))
    return piece


def _edges(lengths: list[int]) -> list[int]:
    return list(accumulate(lengths, initial=0))


def _dims(array: Any) -> tuple[str, ...] | None:
    dims = getattr(array, "dims", None)
    return tuple(map(str, dims)) if dims is not None else None


class _Template:
    """How elements of a type are stored: the document of an array of it, and the bytes of a chunk."""

    def __init__(
        self, array: Any, chunk: tuple[int, ...], dims: tuple[str | None, ...] | None, like: Any
    ) -> None:
        import numpy as np
        from numpy.lib.recfunctions import repack_fields

        self._dtype = np.dtype(array.dtype if like is None else like.dtype)
        # Fields follow each other in Zarr, whatever lies between them in memory.
        self._packed = repack_fields(self._dtype, recurse=True) if self._dtype.names else self._dtype
        try:
            made = self._made(array.shape, chunk, dims)
        except (TypeError, ValueError) as error:
            raise ValueError(f"elements of type {array.dtype} cannot be stored as Zarr: {error}") from error
        self.document = _document(made)
        if like is not None:
            kept = ("fill_value", "attributes")
            self.document |= {key: value for key, value in _document(like).items() if key in kept}
        # Text of numpy's StringDType has no fixed size.
        self._fixed = self._dtype.kind in "biufcSUmMV" and not self._dtype.hasobject
        self._stored = self._packed.newbyteorder("<") if self._fixed else None

    def _made(
        self, shape: tuple[int, ...], chunk: tuple[int, ...], dims: tuple[str | None, ...] | None = None
    ) -> Any:
        """An array of zarr in memory."""
        import zarr
        from zarr.storage import MemoryStore

        return zarr.create_array(
            MemoryStore(),
            shape=shape,
            chunks=chunk,
            dtype=self._packed,
            filters=None,
            compressors=None,
            zarr_format=3,
            dimension_names=dims,
            config={"write_empty_chunks": True},
        )

    def bytes(self, shape: tuple[int, ...]) -> int | None:
        """The bytes of a chunk of this shape; None where that depends on what is in it."""
        return math.prod(shape) * self._packed.itemsize if self._fixed else None

    def encoded(self, block: Any, place: tuple[slice, ...], shape: tuple[int, ...]) -> memoryview:
        """The bytes of a chunk of this shape, of which `block` is what lies in the array."""
        import numpy as np

        # What numpy gives of text without dimensions is no array, and forgets its type.
        block = np.asarray(block, self._dtype) if isinstance(block, (str, bytes)) else np.asanyarray(block)
        expected = tuple(s.stop - s.start for s in place)
        if isinstance(block, np.ma.MaskedArray) and np.ma.is_masked(block):
            raise ValueError(
                "a masked array has elements without a value, which Zarr cannot store: fill them first"
            )
        if block.shape != expected:
            raise ValueError(f"source[{_shown(place)}] has shape {block.shape}, not {expected}")
        if self._fixed and block.dtype != self._dtype:
            raise ValueError(f"source[{_shown(place)}] has elements of type {block.dtype}, not {self._dtype}")
        if block.shape != shape:
            whole = np.zeros(shape, self._dtype)
            whole[tuple(slice(0, n) for n in block.shape)] = block
            block = whole
        if not self._fixed:
            made = self._made(shape, shape)
            made[...] = block
            key = "/".join(["c", *("0" for _ in shape)])
            return memoryview(made.store._store_dict[key].to_bytes())
        stored = np.ascontiguousarray(np.asarray(block), self._stored)
        return stored.reshape(-1).view("u1").data


def _document(array: Any) -> dict[str, Any]:
    """The document of an array in memory."""
    return json.loads(array.store._store_dict["/".join(p for p in (array.path, "zarr.json") if p)].to_bytes())


def _shown(place: tuple[slice, ...]) -> str:
    return ", ".join(f"{s.start}:{s.stop}" for s in place)
