"""Whether two places hold the same, side by side or by a digest of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zarrange import _native, _process, _sources, _stopping
from zarrange._sizes import parse_bytes


@dataclass(frozen=True)
class Comparison:
    """What comparing has found. It is true if no difference was found."""

    #: The first difference, in words; None if there is none.
    difference: str | None
    #: What could not be compared, one line each.
    not_compared: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.difference is None


def verify(
    a: Any,
    b: Any,
    *,
    max_mem: str | int | None = None,
    threads: int | None = None,
    nan_payloads: bool = False,
    storage_options: dict[str, Any] | None = None,
) -> Comparison:
    """Compares two arrays or groups: shapes, types, fill values, attributes and values.

    Parameters
    ----------
    a, b : zarr.Array, zarr.Group, str, path, or array-like
        What is compared.
    max_mem : str, int or None
        Memory for data, as for `rechunk`.
    threads : int, optional
        Threads to use; all processors without it.
    nan_payloads : bool
        Whether NaN of different bits are different; NaN equals NaN otherwise.
    storage_options : dict, optional
        For URLs: passed to fsspec.

    Returns
    -------
    Comparison
        The first difference, if there is one.
    """
    _process.check_fork()
    _process.check_loop()
    places = [_sources.source(one, storage_options).placed() for one in (a, b)]
    stop = _native.Stop()
    with _stopping.stopped_by(stop, *places):
        difference, not_compared = _native.verify(
            *places,
            stop=stop,
            max_mem=_native.default_max_mem() if max_mem is None else parse_bytes(max_mem),
            threads=_process.threads(threads),
            nan_payloads=nan_payloads,
        )
    return Comparison(difference, not_compared)


def digest(
    source: Any,
    *,
    max_mem: str | int | None = None,
    threads: int | None = None,
    storage_options: dict[str, Any] | None = None,
) -> str | dict[str, str]:
    """What arrays hold, each in 32 hexadecimal digits that are the same for all chunks, shards, codecs and versions of Zarr.

    Two arrays with one digest have the same shape, data type, fill value and elements, bit by bit, without being read side by side. It finds errors, and does not
    resist forgery.

    Parameters
    ----------
    source : zarr.Array, zarr.Group, str, path, or array-like
        What is digested.
    max_mem : str, int or None
        Memory for data, as for `rechunk`.
    threads : int, optional
        Threads to use; all processors without it.
    storage_options : dict, optional
        For URLs: passed to fsspec.

    Returns
    -------
    str or dict
        The digest of an array; those of the arrays of a group by their paths.

    Raises
    ------
    CorruptChunkError
        If a chunk cannot be decoded. Of a group, notes of the exception have the digests of the other arrays, or why they have none.
    """
    _process.check_fork()
    _process.check_loop()
    place = _sources.source(source, storage_options).placed()
    stop = _native.Stop()
    with _stopping.stopped_by(stop, place):
        found = _native.digest(
            place,
            stop=stop,
            max_mem=_native.default_max_mem() if max_mem is None else parse_bytes(max_mem),
            threads=_process.threads(threads),
        )
    digests = {path: told for path, told in found if isinstance(told, str)}
    failed = {path: told for path, told in found if not isinstance(told, str)}
    for first in failed.values():
        for path, told in [*digests.items(), *failed.items()]:
            if told is not first:
                first.add_note(f"{path!r}: {told}")
        raise first
    return digests[""] if list(digests) == [""] else digests
