"""Stores of Python as the engine reads and writes them.

A folder on this machine goes straight to the engine. Anything else, a :class:`zarr.abc.store.Store` or a mapping, is a store of callbacks: the engine
asks for objects in batches, and this module gets and puts them.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    MutableMapping,
)
from functools import partial
from typing import Any, Literal, Protocol

from zarrange import _native, _paths, _stopping

#: What of an object is asked for: its key, all of it, a range or its size, and the range; of all of it how many bytes there is room for, and a
#: larger one need not be got: its size will do.
Wanted = tuple[str, Literal["whole", "range", "size"], int, int]

#: Something that is asked of a store.
Call = Callable[[], Coroutine[Any, Any, Any]]

#: What is answered to several.
Answers = list[Any]

#: A name of a listing: whether it is that of an object, and its bytes if they are known.
Name = tuple[str, bool, "int | None"]

Names = list[Name]


class Callbacks(Protocol):
    """What the engine calls. It does so from several threads at once."""

    #: Whether nobody waits for what is got any more.
    stopped: Callable[[], bool]

    #: Whether a part of an object costs less to get than all of it.
    gets_parts: bool

    def get(self, wanted: list[Wanted]) -> list[Any]:
        """For each of `wanted` its bytes (for a size the number), None if there is no such object, or an exception."""
        ...

    def put(self, objects: list[tuple[str, bytes]]) -> list[BaseException | None]:
        """Puts objects, each whole; for each None, or an exception."""
        ...

    def list(self, prefix: str) -> list[Name]:
        """Everything directly below a prefix."""
        ...

    def delete(self, key: str) -> None:
        """Deletes an object, if it is there."""


def opened(
    location: str | os.PathLike[str], storage_options: dict[str, Any] | None, mode: Literal["r", "a"]
) -> tuple[Any, str]:
    """The zarr store of a path or URL, and a path in it."""
    from zarr.core.sync import sync
    from zarr.storage import LocalStore
    from zarr.storage._common import make_store_path

    folder = _paths.local(location)
    if folder is not None:
        # As it is: make_store_path would make a folder where there is none.
        return LocalStore(folder, read_only=mode == "r"), ""
    path = sync(make_store_path(os.fspath(location), mode=mode, storage_options=storage_options))
    return path.store, path.path


def zarr_store(given: Any) -> Any:
    """The zarr store of a store or a mapping of keys to bytes.

    Raises
    ------
    TypeError
        If it is neither.
    """
    from zarr.abc.store import Store
    from zarr.storage import FsspecStore, MemoryStore

    if isinstance(given, Store):
        return given
    if isinstance(given, dict):
        return MemoryStore(given)
    if isinstance(given, MutableMapping):
        try:
            from fsspec.mapping import FSMap
        except ModuleNotFoundError:
            FSMap = ()
        if isinstance(given, FSMap):
            return FsspecStore.from_mapper(given)
        return MemoryStore(_Buffers(given))
    raise TypeError(f"{given!r} is no store: a path, a URL, a mapping or a zarr Store is")


class _Buffers(MutableMapping[str, Any]):
    """A mapping of bytes as one of the buffers of zarr."""

    def __init__(self, mapping: MutableMapping[str, Any]) -> None:
        self._mapping = mapping

    def __getitem__(self, key: str) -> Any:
        from zarr.core.buffer.cpu import Buffer

        return Buffer.from_bytes(bytes(self._mapping[key]))

    def __setitem__(self, key: str, value: Any) -> None:
        self._mapping[key] = value.to_bytes()

    def __delitem__(self, key: str) -> None:
        del self._mapping[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._mapping))

    def __len__(self) -> int:
        return len(self._mapping)


def token(at: Any) -> str:
    """What is the same for the same place; for one in the memory of this process, for what is stored there."""
    import hashlib

    from zarr.storage import MemoryStore

    if not isinstance(at.store, MemoryStore):
        return str(at)
    told = hashlib.sha256()
    for key, value in sorted(at.store._store_dict.items()):
        if key.startswith(at.path):
            told.update(f"{key}\0".encode() + value.to_bytes())
    return told.hexdigest()[:32]


def place(store: Any, path: str = "", named: list[str] | None = None) -> Any:
    """Where `path` of a zarr store lies, as the extension knows it.

    `named` are the keys that there may be, for a store that lists nothing.
    """
    from zarr.storage import LocalStore

    from zarrange._store import Store

    # One of another class may do something else.
    if type(store) is LocalStore or type(store) is Store:
        # Workers have other working directories.
        root = os.path.abspath(store.path if isinstance(store, Store) else store.root)
        return os.path.join(root, path) if path else root
    return (_native.CallbackStore(ZarrCallbacks(store, named), str(store)), path)


class ZarrCallbacks:
    """The callbacks of a zarr store. At most as many objects are got and put at once as zarr's ``async.concurrency`` says."""

    gets_parts = True

    stopped: Callable[[], bool] = staticmethod(lambda: False)

    def __init__(self, store: Any, named: list[str] | None = None) -> None:
        from zarr.storage import FsspecStore, MemoryStore, ObjectStore, ZipStore

        self._store = store
        # Elsewhere a whole object costs no memory, or nobody knows whether parts can be got.
        self._gets_beginnings = type(store) in (FsspecStore, ObjectStore)
        self._named = None if named is None else sorted(named)
        #: All keys in order, and for which job.
        self._keys: tuple[Any, list[str]] | None = None
        # They look through all of their keys to list a few, and hold them in memory anyway.
        self._is_indexed = type(store) in (MemoryStore, ZipStore)
        self._is_target = False
        self._limit: tuple[Any, Any] | None = None

    def get(self, wanted: list[Wanted]) -> list[Any]:
        return self._together([partial(self._get, *one) for one in wanted], self.stopped)

    def put(self, objects: list[tuple[str, bytes]]) -> list[BaseException | None]:
        self._keys, self._is_target = None, True
        # What is put may arrive though nobody waits for it, and would stay: so it is waited for, and then removed.
        return self._together([partial(self._put, *one) for one in objects], _never)

    def list(self, prefix: str) -> list[Name]:
        # Where something was put, what is there may have to be removed.
        return _stopping.awaited(_never if self._is_target else self.stopped, self._list(prefix))

    def delete(self, key: str) -> None:
        self._keys = None
        _stopping.awaited(_never, self._store.delete(key))

    def _together(self, calls: Iterable[Call], stopped: Callable[[], bool]) -> Answers:
        """What all of them return, or raise."""
        import asyncio

        async def one(call: Call) -> Any:
            async with self._turn():
                return await call()

        async def gathered() -> Answers:
            return await asyncio.gather(*map(one, calls), return_exceptions=True)

        return _stopping.awaited(stopped, gathered())

    def _turn(self) -> Any:
        """What lets as many in at once as zarr is configured to."""
        import asyncio

        import zarr

        most = zarr.config.get("async.concurrency", None)
        if most is None:
            return contextlib.nullcontext()
        # A fork has a loop of its own.
        loop = asyncio.get_running_loop()
        if self._limit is None or self._limit[0] is not loop:
            self._limit = (loop, asyncio.Semaphore(most))
        return self._limit[1]

    async def _get(self, key: str, what: str, begin: int, end: int) -> Any:
        from zarr.abc.store import RangeByteRequest
        from zarr.core.buffer import default_buffer_prototype

        if what == "size":
            try:
                return await self._store.getsize(key)
            except FileNotFoundError:
                return None
        part = RangeByteRequest(begin, end) if what == "range" else None
        if what == "whole" and self._gets_beginnings:
            # One byte more tells that there is no room for all of it.
            part = RangeByteRequest(0, end + 1)
        found = await self._store.get(key, default_buffer_prototype(), byte_range=part)
        if found is None or (what == "whole" and part is not None and len(found) > end):
            return None if found is None else await self._store.getsize(key)
        return found.as_numpy_array().reshape(-1).view("u1")

    async def _put(self, key: str, data: bytes) -> None:
        from zarr.core.buffer.cpu import Buffer

        await self._store.set(key, Buffer.from_bytes(data))

    async def _list(self, prefix: str) -> Names:
        # One that was never used, such as a new archive, lists nothing.
        await self._store._ensure_open()
        from zarr.storage import FsspecStore, ObjectStore

        begin = f"{prefix}/" if prefix else ""
        if self._named is not None:
            return _first_parts_sorted(self._named, begin)
        if not lists(self._store):
            raise NotImplementedError(f"{self._store} does not tell what is in it")
        if isinstance(self._store, FsspecStore):
            return await _listed_by_fsspec(self._store, prefix)
        if isinstance(self._store, ObjectStore):
            return await _listed_by_obstore(self._store, prefix)
        if not self._is_indexed:
            return await _first_parts(self._store.list_prefix(begin), begin)
        if self._keys is None or self._keys[0] is not self.stopped:
            self._keys = self.stopped, sorted([key async for key in self._store.list()])
        return _first_parts_sorted(self._keys[1], begin)


def _never() -> bool:
    return False


def lists(store: Any) -> bool:
    """Whether a store tells what is in it. Web servers do not: asked for a folder, many say that there is nothing."""
    from zarr.storage import FsspecStore

    protocol = getattr(store.fs, "protocol", ()) if isinstance(store, FsspecStore) else ()
    is_web = {"http", "https"}.intersection([protocol] if isinstance(protocol, str) else protocol)
    return bool(store.supports_listing) and not is_web


async def _first_parts(keys: AsyncIterator[str], begin: str) -> list[Name]:
    """The names directly below a prefix, of all keys below it: such a listing says what is an object."""
    objects: set[str] = set()
    prefixes: set[str] = set()
    async for key in keys:
        name, slash, _ = key.removeprefix(begin).partition("/")
        (prefixes if slash else objects).add(name)
    names: list[Name] = [(name, True, None) for name in objects]
    return names + [(name, False, None) for name in prefixes]


def _first_parts_sorted(keys: list[str], begin: str) -> list[Name]:
    """The same of all keys of a store, in order: what lies deeper is passed over."""
    names: list[Name] = []
    at = bisect_left(keys, begin)
    while at < len(keys) and keys[at].startswith(begin):
        name, slash, _ = keys[at].removeprefix(begin).partition("/")
        names.append((name, not slash, None))
        # The character after "/" is "0".
        at = bisect_left(keys, f"{begin}{name}0", lo=at) if slash else at + 1
    return names


async def _listed_by_fsspec(store: Any, prefix: str) -> list[Name]:
    path = "/".join(part for part in (store.path, prefix) if part)
    # What others wrote meanwhile is there, too.
    store.fs.invalidate_cache(path)
    try:
        entries = await store.fs._ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    names: list[Name] = []
    for entry in entries:
        found = entry["name"].rstrip("/")
        # Some file systems list the place itself.
        if found.lstrip("/") != path.strip("/"):
            is_object = entry["type"] == "file"
            names.append((found.rsplit("/", 1)[-1], is_object, entry.get("size") if is_object else None))
    return names


async def _listed_by_obstore(store: Any, prefix: str) -> list[Name]:
    import obstore

    listed = await obstore.list_with_delimiter_async(store.store, prefix=prefix or None)
    names: list[Name] = [
        (found["path"].rsplit("/", 1)[-1], True, found["size"]) for found in listed["objects"]
    ]
    return names + [(path.rstrip("/").rsplit("/", 1)[-1], False, None) for path in listed["common_prefixes"]]
