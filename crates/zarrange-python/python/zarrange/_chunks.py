"""What ``target_chunks`` says, as chunk lengths for each array."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zarrange._sources import SourceArray


def lengths(target_chunks: object, array: SourceArray) -> tuple[int, ...] | None:
    """The chunk that `target_chunks` asks for, for `array`; `None` for the chunks that it has.

    Parameters
    ----------
    target_chunks : tuple, dict or None
        Elements along each dimension, or by the names of dimensions: those that are not named keep their chunks. -1 is the whole dimension,
        and so is what is longer than it.

    Raises
    ------
    KeyError
        For a dimension that the array does not have.
    ValueError
        For another number of lengths than dimensions, or a length that is neither positive nor -1.
    TypeError
        For anything else than a tuple, a dict or None.
    """
    if target_chunks is None:
        return array.chunks if array.irregular else None
    if isinstance(target_chunks, Mapping):
        target_chunks = _by_name(target_chunks, array)
    elif not isinstance(target_chunks, Sequence) or isinstance(target_chunks, str):
        raise TypeError(
            f"target_chunks of {array.called}: {target_chunks!r} is no chunk: a tuple, a dict or None is"
        )
    if len(target_chunks) != len(array.shape):
        raise ValueError(
            f"target_chunks {tuple(target_chunks)} of {array.called} must have length {len(array.shape)}, "
            f"as its shape {array.shape}"
        )
    return tuple(
        _length(length, size, array) for length, size in zip(target_chunks, array.shape, strict=True)
    )


def shards(asked: object, chunks: tuple[int, ...], array: SourceArray) -> tuple[int, ...]:
    """The shard that the option `shards` asks for, of `chunks`: as `lengths`. The whole dimension is as many chunks as it takes."""
    whole = replace(array, chunks=array.shards or chunks)
    asked_for = lengths(asked, whole)
    assert asked_for is not None
    return tuple(
        -(-length // chunk) * chunk if length >= size else length
        for length, chunk, size in zip(asked_for, chunks, array.shape, strict=True)
    )


def _by_name(chunks: Mapping[str, int], array: SourceArray) -> list[int]:
    if array.dims is None:
        raise KeyError(
            f"{array.called} has no dimension names, so target_chunks {dict(chunks)!r} says nothing: give a tuple of "
            f"{len(array.shape)} lengths"
        )
    unknown = [name for name in chunks if name not in array.dims]
    if unknown:
        raise KeyError(
            f"{array.called} has no dimension {unknown[0]!r}: its dimensions are {list(array.dims)}"
        )
    return [
        chunk if name is None else chunks.get(name, chunk)
        for name, chunk in zip(array.dims, array.chunks, strict=True)
    ]


def _length(length: Any, size: int, array: SourceArray) -> int:
    try:
        exact: Any = int(length) if isinstance(length, float) and length.is_integer() else length
        whole = operator.index(exact)
    except TypeError:
        raise TypeError(f"target_chunks of {array.called}: {length!r} is no number of elements") from None
    if whole == -1 or whole > size:
        return max(size, 1)
    if whole <= 0:
        raise ValueError(f"target_chunks of {array.called}: {whole} is neither a number of elements nor -1")
    return whole
