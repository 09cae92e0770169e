"""Folders of this machine as stores of zarr-python, through the backends of the engine.

zarr runs a store on an event loop, which must not wait for a disk. So nothing here is done on it: what it asks for in one turn of the loop (the chunks that
zarr-python wants together) is one batch for the backend, in one thread. A thread for each object would cost more than most objects do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import astuple, dataclass
from typing import Any, Literal, TypeVar

import zarr.abc.store
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype

from zarrange import _native, _paths, _process

T = TypeVar("T")


@dataclass(frozen=True)
class Counts:
    """What passed through a store. The difference of two is what passed in between."""

    #: Reads of an object or a part of one, and the bytes that they returned.
    reads: int
    read_bytes: int
    #: Writes of an object, and their bytes.
    writes: int
    written_bytes: int
    #: Objects that were opened, also those that are not there.
    opens: int
    #: Batches of reads or writes, which do not wait for each other.
    batches: int
    #: Steps that wait for the one before: each costs at least the latency of a disk or a server.
    hops: int
    #: Listings of a folder.
    lists: int
    #: Objects or folders that were deleted, and names that were changed.
    changes: int

    def __sub__(self, before: Counts) -> Counts:
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(before), strict=True)))


class Store(zarr.abc.store.Store):
    """A folder of this machine, as zarr-python and xarray read and write it.

    Parameters
    ----------
    path : str or path
        The folder; it is made when the store is opened, unless it is read only. ``file://`` URLs are understood.
    backend : {"auto", "std", "io_uring", "mmap"}
        What reads and writes files: ``"io_uring"`` where the system has it, ``"std"`` (positioned reads, by threads where there are many) otherwise, which is
        what ``"auto"`` finds out. ``"mmap"`` is for stores that are read only: by asking for it you promise that **nobody truncates or changes a file while it
        is read**, in this process or another. A file that is cut short under it ends the process (SIGBUS).
    counting : bool
        Whether `counts` are kept.
    read_only : bool
        Whether it refuses to write.

    Raises
    ------
    ValueError
        If there is no such backend, or it is not for a store that is written.
    OSError
        If the system does not have the backend.

    Notes
    -----
    Objects are replaced in one step: a reader finds the old one or the new one. A store can be pickled, and used after a fork; `counts` begin anew then. Given to
    :func:`zarrange.rechunk` and the other functions here, it is the folder that it stands for, which the engine reads on its own: nothing of that is counted.

    Examples
    --------
    >>> store = zarrange.Store("survey.zarr", counting=True, read_only=True)  # doctest: +SKIP
    >>> xr.open_zarr(store).flux[7].values  # doctest: +SKIP
    >>> store.counts.reads  # doctest: +SKIP
    """

    @property
    def supports_writes(self) -> bool:
        return True

    @property
    def supports_deletes(self) -> bool:
        return True

    @property
    def supports_listing(self) -> bool:
        return True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        backend: Literal["auto", "std", "io_uring", "mmap"] = "auto",
        counting: bool = False,
        read_only: bool = False,
    ) -> None:
        super().__init__(read_only=read_only)
        if backend == "mmap" and not read_only:
            raise ValueError(
                "backend='mmap' is for stores that are not written: with read_only=True you promise that nobody else does"
            )
        folder = _paths.local(path)
        if folder is None:
            raise ValueError(f"path={path!r} is no folder of this machine: a store of zarr reads it")
        #: The folder, whatever the working directory is later.
        self.path: str = folder
        self._backend: Literal["auto", "std", "io_uring", "mmap"] = backend
        self._counting = counting
        self._folder = _Folder(self.path, backend, counting)
        self._batches: dict[tuple[Any, str], _Batch] = {}

    @property
    def backend(self) -> str:
        """The name of the backend that is used."""
        return self.native().backend

    @property
    def counts(self) -> Counts:
        """What passed so far.

        Raises
        ------
        ValueError
            If nothing is counted.
        """
        if not self._counting:
            raise ValueError(f"{self!r} counts nothing: make it with counting=True")
        return Counts(**dict(self.native().counts()))

    def native(self) -> Any:
        """The folder as the extension knows it."""
        return self._folder.native()

    async def _open(self) -> None:
        await self._prepare()
        await super()._open()

    async def _ensure_open(self) -> None:
        # Of requests that come first together each may do this.
        if not self._is_open:
            await self._prepare()
            self._is_open = True

    async def _prepare(self) -> None:
        if not self.read_only:
            await asyncio.to_thread(os.makedirs, self.path, exist_ok=True)
        await asyncio.to_thread(self.native)

    def with_read_only(self, read_only: bool = False) -> Store:
        """The same store, that refuses to write or does not; it counts with this one."""
        other = type(self)(self.path, backend=self._backend, counting=self._counting, read_only=read_only)
        other._folder = self._folder
        return other

    def __eq__(self, value: object) -> bool:
        same = type(value) is type(self) and value.path == self.path  # type: ignore[attr-defined]
        return same and value.read_only == self.read_only  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"file://{self.path}"

    def __repr__(self) -> str:
        options = f", backend={self._backend!r}" if self._backend != "auto" else ""
        options += ", counting=True" if self._counting else ""
        options += ", read_only=True" if self.read_only else ""
        return f"zarrange.Store({self.path!r}{options})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_batches": {}}

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        begin, end = _bounds(byte_range)
        await self._ensure_open()
        found = await self._together("get", (key, begin, end))
        return None if found is None else (prototype or default_buffer_prototype()).buffer.from_bytes(found)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        wanted = (self.get(key, prototype, byte_range) for key, byte_range in key_ranges)
        return list(await asyncio.gather(*wanted))

    async def exists(self, key: str) -> bool:
        return await self._size(key) is not None

    async def getsize(self, key: str) -> int:
        size = await self._size(key)
        if size is None:
            raise FileNotFoundError(f"{self.path}/{key}: not found")
        return size

    async def getsize_prefix(self, prefix: str) -> int:
        return await self._do(lambda files: files.bytes_below(prefix.rstrip("/")))

    async def set(self, key: str, value: Buffer) -> None:
        data = await self._to_write(value)
        await self._together("put", (key, data))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        data = await self._to_write(value)
        await self._do(lambda files: files.put_new(key, data))

    async def delete(self, key: str) -> None:
        self._check_writable()
        await self._do(lambda files: files.delete(key))

    async def delete_dir(self, prefix: str) -> None:
        self._check_writable()
        await self._do(lambda files: files.delete_folder(prefix.rstrip("/")))

    async def list(self) -> AsyncIterator[str]:
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in await self._do(lambda files: files.keys(prefix)):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for name in await self._do(lambda files: files.names(prefix.rstrip("/"))):
            yield name

    async def _to_write(self, value: Buffer) -> Any:
        """What `value` holds, if it may be written."""
        self._check_writable()
        if not isinstance(value, Buffer):
            raise TypeError(f"value is {type(value)}, not a Buffer of zarr")
        await self._ensure_open()
        return value.as_numpy_array().reshape(-1).view("u1")

    async def _size(self, key: str) -> int | None:
        return await self._do(lambda files: files.size(key))

    async def _do(self, call: Callable[[Any], T]) -> T:
        await self._ensure_open()
        return await asyncio.to_thread(lambda: call(self.native()))

    async def _together(self, method: str, request: Any) -> Any:
        """What `method` of the extension answers to a request: one call for all that are made in this turn of the loop."""
        loop = asyncio.get_running_loop()
        batch = self._batches.get((loop, method))
        if batch is None:
            batch = self._batches[loop, method] = _Batch()
            loop.call_soon(self._send, loop, method)
        return await batch.add(request, loop)

    def _send(self, loop: asyncio.AbstractEventLoop, method: str) -> None:
        batch = self._batches.pop((loop, method))
        try:
            job = loop.run_in_executor(None, lambda: getattr(self.native(), method)(batch.requests))
        except RuntimeError as error:  # of a loop that ends
            batch.fail(error)
        else:
            job.add_done_callback(batch.deliver)


class _Folder:
    """A folder that is opened when it is needed, and again in a process that was forked."""

    def __init__(self, path: str, backend: str, counting: bool) -> None:
        self._asked = (path, backend, counting)
        self._opened: tuple[int, Any] | None = None
        _process.opener(backend)

    def native(self) -> Any:
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            path, backend, counting = self._asked
            opened = self._opened = (os.getpid(), _native.Files(path, _process.opener(backend), counting))
        return opened[1]

    def __reduce__(self) -> Any:
        return _Folder, self._asked


class _Batch:
    """Requests that are made together, and who waits for them."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self._waiting: list[asyncio.Future[Any]] = []

    def add(self, request: Any, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
        future = loop.create_future()
        self.requests.append(request)
        self._waiting.append(future)
        return future

    def deliver(self, job: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if job.cancelled() else job.exception()
        if error is not None:
            self.fail(error)
        else:
            self._answer(job.result())

    def fail(self, error: BaseException) -> None:
        self._answer([error] * len(self._waiting))

    def _answer(self, answers: list[Any]) -> None:
        for future, answer in zip(self._waiting, answers, strict=True):
            # Somebody may not wait any more.
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def _bounds(byte_range: ByteRequest | None) -> tuple[int | None, int | None]:
    """The first byte and the one behind the last; without a first byte so many of the end."""
    if byte_range is None:
        return 0, None
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, byte_range.end
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, None
    if isinstance(byte_range, SuffixByteRequest):
        return None, byte_range.suffix
    raise TypeError(f"Unexpected byte_range, got {byte_range!r}: one of zarr.abc.store is a range")
