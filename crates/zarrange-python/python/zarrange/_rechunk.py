"""``zarrange.rechunk``: what a user asks for becomes a job of the engine."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from zarrange import _chunks, _native, _options, _paths, _process, _sources, _stores, _xarray
from zarrange._rechunked import Rechunked, Target
from zarrange._sizes import parse_bytes
from zarrange.executors import executor_of


def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: str | int | None,
    target_store: Any,
    target_options: Mapping[str, Any] | None = None,
    temp_store: Any = None,
    temp_options: Mapping[str, Any] | None = None,
    executor: Any = "threads",
    array_name: str | None = None,
    *,
    storage_options: dict[str, Any] | None = None,
    threads: int | None = None,
    verify: Literal["none", "sample", "digest", "full"] = "none",
    durability: Literal["none", "commit"] = "commit",
    overwrite: bool = False,
    backend: Literal["auto", "std", "io_uring"] = "auto",
    part_size: str | int | None = None,
) -> Rechunked:
    """Plans to rechunk an array or a group; ``execute()`` of what is returned carries it out.

    The parameters up to `array_name` are those of ``rechunker.rechunk``, and mean the same. Nothing is written before ``execute()``. The target
    appears when it is complete, in Zarr v3 whatever the source is in, with the attributes, fill value and codecs of the source where no option says
    otherwise. Temporary data is removed by itself.

    Parameters
    ----------
    source : zarr.Array, zarr.Group, zarr Store, MutableMapping, str, path, dask.array.Array, xarray.Dataset, xarray.DataTree, xarray.DataArray or array-like
        What is to be rechunked. Text is a path or a URL. Of an array-like (`shape`, `dtype`, slices) chunks are computed when they are needed. Variables
        of xarray are encoded as ``to_zarr`` does; those that are arrays of Zarr as they are stored are read directly.
    target_chunks : tuple, dict or None
        Elements of a chunk along each dimension, or a dict by dimension name; -1 is the whole dimension, None the chunks of the source.
        For a group a dict of these by the name of the array: arrays that are not named are left out, and named in a warning. For a dataset a dict of
        lengths by dimension, which all variables with that dimension take but coordinates, or of chunks by variable: all others keep theirs.
    max_mem : str, int or None
        Memory for data, in bytes or as ``"1GB"``, of all threads together: the process takes at most 64 MiB more. None is half of what is available.
    target_store : str, path, MutableMapping, zarr Store or zarr.Group
        Where the target goes. In a zarr.Group an array gets the name `array_name`; a group takes the place of one with nothing in it.
    target_options : dict, optional
        Codecs and more: `compressor`, `filters`, `order`, `overwrite` and the other options of rechunker, or those of Zarr v3: `compressors`, `serializer`,
        `shards`, `chunk_key_encoding`. For a group or a dataset a dict of these by the name of the array. For variables of xarray encodings, too:
        `dtype`, `scale_factor`, `add_offset`, `_FillValue`, `units` and others of ``to_zarr``.
    temp_store : str or path, optional
        A folder for intermediate data. Without it, it is made beside the target, where that is a folder of this machine, and is removed again.
    temp_options : dict, optional
        Is looked at and not needed: intermediate data has a form of its own.
    executor : str or Executor
        ``"threads"``, ``"python"`` (one thread), ``"dask"``, ``"beam"``, ``"prefect"``, ``"lithops"`` (or ``"pywren"``), ``"ray"``, or an object as
        `zarrange.executors.Executor` describes. Where there are workers, `max_mem` and `threads` are those of one.
    array_name : str, optional
        The name of the array in the group that is given as `target_store`.
    storage_options : dict, optional
        For URLs: passed to fsspec.
    threads : int, optional
        Threads to use; without it those of the executor, which are all processors for ``"threads"``.
    verify : {"none", "sample", "digest", "full"}
        How much of the target is compared with the source before it appears: ``"digest"`` reads the source only once, when it is moved, and compares
        digests; ``"full"`` reads both again, and compares every value.
    durability : {"commit", "none"}
        Whether ``execute()`` waits until the target is on the disk.
    overwrite : bool
        Replaces what is at the target, as the option `overwrite` of all arrays does.
    backend : {"auto", "std", "io_uring"}
        What reads and writes files of this machine.
    part_size : str or int, optional
        Array data of a part, about, which a worker does as a whole: 256 MB without it.

    Returns
    -------
    Rechunked
        The plan, with its costs.

    Raises
    ------
    ValueError
        For a source, chunk or option that is not possible.
    KeyError
        For a dimension or an array that the source does not have.
    FileExistsError
        If something is at the target.
    MemoryError
        If a chunk, or what must be held beside it, is larger than `max_mem`.

    Examples
    --------
    >>> import zarr, zarrange
    >>> source = zarr.ones((4, 4), chunks=(2, 2), store="source.zarr")  # doctest: +SKIP
    >>> zarrange.rechunk(source, (4, 1), 256_000, "target.zarr").execute()  # doctest: +SKIP
    <Array file://target.zarr shape=(4, 4) dtype=float64>
    """
    rechunked = prepared(
        source,
        target_chunks,
        max_mem,
        target_store,
        target_options,
        executor=executor,
        array_name=array_name,
        storage_options=storage_options,
        threads=threads,
        temp=(temp_store, temp_options),
        verify=verify,
        durability=durability,
        overwrite=overwrite,
        backend=backend,
        part_size=part_size,
    )
    if rechunked.left_out:
        warnings.warn(
            f"arrays that target_chunks does not name are left out: {', '.join(rechunked.left_out)}",
            stacklevel=2,
        )
    for note in rechunked.notes:
        warnings.warn(note, stacklevel=2)
    return rechunked


def prepared(
    source: Any,
    target_chunks: Any,
    max_mem: str | int | None,
    target_store: Any,
    target_options: Mapping[str, Any] | None,
    *,
    executor: Any,
    array_name: str | None,
    storage_options: dict[str, Any] | None,
    threads: int | None,
    temp: tuple[Any, Mapping[str, Any] | None] = (None, None),
    verify: str,
    durability: str = "commit",
    overwrite: bool = False,
    backend: str,
    part_size: str | int | None = None,
) -> Rechunked:
    """What is planned, without warnings. Parameters are those of `rechunk`; without a `target_store`, it is a plan that nobody carries out."""
    chosen = executor_of(executor)
    if _xarray.is_xarray(source):
        found, target_chunks, target_options = _xarray.encoded(source, target_chunks, target_options)
    else:
        found = _sources.source(source, storage_options)
    asked = _Asked(found, target_chunks, target_options, array_name, target_store)
    temp_store, temp_options = temp
    _check_options(temp_options, found, asked)
    if target_store is None:
        target = _nowhere(found)
    else:
        target = _target(target_store, array_name, storage_options)
        _xarray.check_apart(found.roots, target)
    if asked.replaced and found.kind == "group" and not overwrite:
        _check_kept(target, asked)
    left_out = found.unnamed(set(asked.chunks)) if found.kind == "group" else []
    asked_threads = getattr(chosen, "threads", None) if threads is None else threads
    kept_memory = kept_threads = None
    if max_mem is None or asked_threads is None:
        # What is free is not the same each time, and the plan would be another one than that which workers have begun.
        kept_memory, kept_threads = target.kept_bounds() or (None, None)
    memory = kept_memory if max_mem is None else parse_bytes(max_mem)
    request = {
        "chunks": [(name, "keep" if chunk is None else chunk) for name, chunk in asked.chunks.items()],
        "shards": [(name, "none" if shard is None else shard) for name, shard in asked.shards.items()],
        "codecs": None,
        "array_codecs": asked.codecs,
        "key_separator": asked.separator,
        "only_named": found.kind == "group",
        "skip": [],
        "max_mem": _native.default_max_mem() if memory is None else memory,
        "threads": _process.threads(kept_threads if asked_threads is None else asked_threads),
        "temp": _temp(temp_store, target),
        "verify": verify,
        "durability": durability,
        "overwrite": overwrite or bool(asked.replaced),
        "backend": backend,
        "part_size": None if part_size is None else parse_bytes(part_size),
        # Of what nobody can tell whether it holds the same another time.
        "unknown": uuid.uuid4().hex,
        # That of least cost.
        "way": None,
    }
    return Rechunked(chosen, found, target, request, left_out)


class _Asked:
    """What is asked of each array, by its name; that of the root is empty."""

    def __init__(
        self,
        source: _sources.Source,
        target_chunks: Any,
        target_options: Mapping[str, Any] | None,
        array_name: str | None,
        target_store: Any,
    ) -> None:
        import zarr

        self.chunks: dict[str, tuple[int, ...] | None] = {}
        self.shards: dict[str, tuple[int, ...] | None] = {}
        self.codecs: dict[str, str] = {}
        self.replaced: set[str] = set()
        self.separator = "auto"
        if source.array is not None:
            if isinstance(target_store, zarr.Group) and array_name is None:
                raise ValueError("Can't rechunk to a group without a name for the array: give array_name.")
            self._add("", source.array, target_chunks, target_options, source.shown, "target_options")
            return
        if not isinstance(target_chunks, Mapping):
            raise ValueError(
                "You must specify ``target-chunks`` as a dict when rechunking a group: of the chunks of each array, by its name "
                f"(got {target_chunks!r})."
            )
        if array_name is not None:
            raise ValueError("Can't specify `array_name` when rechunking a Group.")
        options = target_options or {}
        unknown = [name for name in options if name not in target_chunks]
        if unknown:
            raise ValueError(
                f"target_options has options of {unknown[0]!r}, which is no array that target_chunks names: for a group they are a dict by the "
                "name of the array"
            )
        for name, chunks in target_chunks.items():
            assert source.member is not None, "a group has members"
            member = source.member(name)
            self._add(
                name, member, chunks, options.get(name), source.template(name), f"target_options[{name!r}]"
            )

    def _add(
        self,
        name: str,
        array: _sources.SourceArray,
        chunks: Any,
        options: Mapping[str, Any] | None,
        shown: Any,
        parameter: str,
    ) -> None:
        self.chunks[name] = _chunks.lengths(chunks, array)
        asked = _options.array_options(options, parameter, shown)
        if asked.shards is not _options.KEPT:
            within = self.chunks[name] or array.chunks
            self.shards[name] = None if asked.shards is None else _chunks.shards(asked.shards, within, array)
        if asked.codecs is not None:
            self.codecs[name] = asked.codecs
        if asked.separator is not None:
            if self.separator not in ("auto", asked.separator):
                raise ValueError(
                    f"{parameter} asks for {asked.separator!r} in chunk keys, and another array for {self.separator!r}: they are the same in all "
                    "arrays of a target"
                )
            self.separator = asked.separator
        if asked.overwrite:
            self.replaced.add(name)


def _check_options(temp_options: Mapping[str, Any] | None, source: _sources.Source, asked: _Asked) -> None:
    """Wrong options of temporary data are told, though it has a form of its own."""
    if not temp_options:
        return
    if source.array is not None:
        _options.array_options(temp_options, "temp_options", source.shown)
        return
    for name in asked.chunks:
        _options.array_options(temp_options.get(name), f"temp_options[{name!r}]", source.template(name))


def _check_kept(target: Target, asked: _Asked) -> None:
    """Options replace the arrays that they are for. The whole group is made anew, so nothing else may be in it."""
    import zarr

    try:
        there = zarr.open_group(target.store, path=target.path or None, mode="r", use_consolidated=False)
    except FileNotFoundError:
        return
    lost = sorted(
        name
        for name, found in there.members(max_depth=None)
        if isinstance(found, zarr.Array) and name not in asked.chunks
    )
    lost += [name for name in asked.chunks if name in there and name not in asked.replaced]
    if lost:
        raise FileExistsError(
            f"target {target} has {', '.join(lost)}, which no option says to overwrite: the whole target would be made anew; if that is meant, give "
            "overwrite=True"
        )


def _target(given: Any, array_name: str | None, storage_options: dict[str, Any] | None) -> Target:
    """Where the target goes."""
    import zarr

    if isinstance(given, zarr.Group):
        if array_name is not None and not all(part not in ("", ".", "..") for part in array_name.split("/")):
            raise ValueError(
                f"array_name={array_name!r} is no name in a group: such as 'flux' or 'night/flux'"
            )
        path = "/".join(part for part in (given.path, array_name) if part)
        return Target(given.store_path.store, path, group=given)
    if isinstance(given, (str, os.PathLike)):
        store, path = _stores.opened(given, storage_options, mode="a")
        return Target(store, path)
    return Target(_stores.zarr_store(given), "")


def _nowhere(source: _sources.Source) -> Target:
    """A target of a plan that nobody carries out: a folder that is not there, beside the source where that is one."""
    import tempfile
    import uuid

    from zarr.storage import LocalStore

    beside = os.path.dirname(source.place) if isinstance(source.place, str) else tempfile.gettempdir()
    return Target(LocalStore(os.path.join(beside, f"zarrange-plan-{uuid.uuid4().hex}")), "")


def _temp(given: Any, target: Target) -> str | None:
    """A folder for intermediate data: the one that is given, or where the target is no folder one for temporary files."""
    if isinstance(given, (str, os.PathLike)):
        folder = _paths.local(given)
        if folder is not None:
            return folder
    if given is not None:
        warnings.warn(
            f"temp_store={given!r} is no folder of this machine, and is not used: intermediate data needs one",
            stacklevel=4,
        )
    if isinstance(target.place, str):
        return None
    import tempfile

    return tempfile.gettempdir()
