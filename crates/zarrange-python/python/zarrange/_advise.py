"""``zarrange.advise``: the layout that suits what is read."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from zarrange import _bench, _display, _native, _paths, _process, _sources
from zarrange._sizes import parse_bytes


@dataclass(frozen=True)
class Layout:
    """A layout, and what reads of it take."""

    #: Elements of a chunk along each dimension.
    chunk: tuple[int, ...]
    #: Elements of a shard; None without shards.
    shard: tuple[int, ...] | None
    #: As on the command line: such as ``"zstd:3"``.
    codecs: str
    #: Files that it has.
    files: int
    #: Bytes that it stores, about.
    stored_bytes: float
    #: The mean time of a read over the mix, in milliseconds.
    ms: float
    #: The time of each read of the mix, in milliseconds.
    reads: dict[str, float]


@dataclass(frozen=True)
class Advice:
    """Layouts for an array, the best first, and why."""

    #: The best layouts, the best first.
    layouts: list[Layout]
    #: Why the first is better than the second; None if it is the only one.
    why: str | None
    #: Why their codecs, of those that were measured on a sample.
    codec_why: str | None
    #: The command that makes the first one.
    command: str
    #: Everything, as ``zarrange advise --json`` prints it.
    values: dict[str, Any] = field(repr=False)

    @property
    def best(self) -> Layout:
        """The first of `layouts`."""
        return self.layouts[0]

    def __repr__(self) -> str:
        return "\n".join(
            [
                "<Advice>",
                *("  ".join(row) for row in self._table()),
                *filter(None, [self.codec_why, self.why]),
            ]
        )

    def _repr_html_(self) -> str:
        return _display.table(self._table()) + "".join(
            _display.paragraph(why) for why in (self.codec_why, self.why) if why
        )

    def _table(self) -> list[list[str]]:
        """What is shown: a row for each layout, columns of one width."""
        rows = [["chunk", "shard", "codecs", "files", "stored", *self.best.reads, "mean"]]
        for one in self.layouts:
            shapes = [str(one.chunk), "none" if one.shard is None else str(one.shard)]
            counts = [one.codecs, f"{one.files:,}", _display.size(one.stored_bytes)]
            rows.append([*shapes, *counts, *(f"{ms:.3g} ms" for ms in [*one.reads.values(), one.ms])])
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        return [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]


def advise(
    mix: str | Mapping[str, float],
    *,
    fix: Mapping[str, int] | None = None,
    sample: Any = None,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    names: Sequence[str] | None = None,
    reader: Literal[
        "zarr-python", "zarr-python-3.3", "xarray", "tensorstore", "zarrs-python", "zarrange"
    ] = "zarr-python",
    accesses: int = 1,
    max_files: int = 10_000,
    max_object_ms: float | None = None,
    chunk_bytes: str | int | None = None,
    max_mem: str | int = "256MB",
    profile: str | None = None,
    codecs: Sequence[str] | None = None,
    measure: bool = False,
    top: int = 5,
) -> Advice:
    """The layouts that suit what is read of an array, and why.

    Parameters
    ----------
    mix : dict or str
        How often what is read: ``{"epoch": 0.2, "object": 0.8}``, one index of a dimension and all of the others. ``"object+band"`` is one index of
        both, ``"object:50"`` fifty neighbouring ones, ``"object~50"`` fifty scattered ones, ``"write:epoch"`` is appending one. As text also times a day:
        ``"object=5000/day,write:epoch=20/day"``.
    fix : dict, optional
        Of how many indices of other dimensions every read is: ``{"measurement": 1}``.
    sample : zarr.Array, str or path, optional
        The array, in a folder of this machine: codecs are measured on a part of it, and it says shape, type and names.
    shape, dtype : optional
        Elements along each dimension, and their type: needed without `sample`.
    names : sequence of str, optional
        Names of the dimensions; those of the sample without it, or ``("object", "epoch")``.
    reader : {"zarr-python", "zarr-python-3.3", "xarray", "tensorstore", "zarrs-python", "zarrange"}
        Who reads. ``"zarr-python"`` is the one before 3.3, which asks for the chunks of a shard one after the other.
    accesses : int
        Reads before a reader is closed, if it keeps shards open.
    max_files : int
        Files at most.
    max_object_ms : float, optional
        The longest that reading one object may take, in milliseconds.
    chunk_bytes, max_mem : str or int, optional
        Decoded bytes of a chunk at most (16 MiB), and of a chunk or shard.
    profile : str, optional
        What the place costs: ``"memory"``, ``"page-cache"``, ``"nvme"``, ``"disk"``, ``"parallel"``, ``"object"`` or a file of `zarrange probe`;
        without it, what was probed where the sample is, or ``"nvme"``.
    codecs : sequence of str, optional
        Codecs that are weighed, such as ``"zstd:3"``, ``"blosc:zstd:bitshuffle"``, ``"pcodec"``: several of them with a sample only.
    measure : bool
        Makes the best layouts and reads them, in processes of their own: this takes a while.
    top : int
        Layouts to tell.

    Returns
    -------
    Advice
        Layouts, the best first.

    Raises
    ------
    ValueError
        For what is not possible, and where no layout keeps the limits.

    Examples
    --------
    >>> import zarrange
    >>> advice = zarrange.advise({"epoch": 0.2, "object": 0.8}, shape=(50_000, 1_000), dtype="f4")  # doctest: +SKIP
    >>> zarrange.rechunk(source, advice.best.chunk, "1GB", "target.zarr")  # doctest: +SKIP
    """
    _process.check_fork()
    given = {
        "mix": mix if isinstance(mix, str) else ",".join(f"{name}={share!r}" for name, share in mix.items()),
        "fix": None if fix is None else ",".join(f"{name}={count}" for name, count in fix.items()),
        "sample": None if sample is None else _folder(sample),
        "shape": None if shape is None else ",".join(map(str, shape)),
        "dtype": None if dtype is None else _dtype(dtype),
        "names": None if names is None else ",".join(names),
        "reader": reader,
        "accesses": accesses,
        "max-files": max_files,
        "max-object-ms": max_object_ms,
        "chunk-bytes": None if chunk_bytes is None else parse_bytes(chunk_bytes, "chunk_bytes"),
        "max-mem": parse_bytes(max_mem),
        "profile": profile,
        "top": top,
    }
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    options += ["--measure"] * measure
    options += ["--codecs", *codecs] if codecs else []
    try:
        values = json.loads(_native.advise(options, _bench.lines()))
    except ValueError as error:
        raise ValueError(_as_arguments(str(error))) from None
    for line in values["unused"]:
        warnings.warn(_as_arguments(line), UserWarning, stacklevel=2)
    return Advice(
        list(map(_layout, values["layouts"])), values["why"], values["codec_why"], values["command"], values
    )


def _as_arguments(text: str) -> str:
    """Options of the command by the names of this function."""
    return re.sub(r"--([a-z-]+)", lambda found: found[1].replace("-", "_"), text)


def _folder(sample: Any) -> str:
    place = sample if isinstance(sample, (str, os.PathLike)) else _sources.source(sample).placed()
    folder = _paths.local(place) if isinstance(place, (str, os.PathLike)) else None
    if folder is None:
        raise ValueError(
            f"sample={sample!r} is no array in a folder of this machine: rechunk a part of it to one first"
        )
    return folder


def _dtype(given: Any) -> str:
    import numpy as np

    return np.dtype(given).name


def _layout(told: dict[str, Any]) -> Layout:
    return Layout(
        chunk=tuple(told["chunk"]),
        shard=tuple(told["shard"]) if told["shard"] else None,
        codecs=told["codecs"],
        files=told["files"],
        stored_bytes=told["stored_bytes"],
        ms=told["weighted_ms"],
        reads={read["name"]: read["ms"] for read in told["accesses"]},
    )
