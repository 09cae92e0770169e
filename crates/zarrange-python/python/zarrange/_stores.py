"""Stores of Python as the engine reads and writes them.

A folder on this machine goes straight to the engine. Anything else, a :class:`zarr.abc.store.Store` or a mapping, is a store of callbacks: the engine
asks for objects in batches, and this module gets and puts them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, MutableMapping
from typing import Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from zarrange import _native

#: What of an object is asked for: its key, all of it, a range or its size, and the range.
Wanted = tuple[str, Literal["whole", "range", "size"], int, int]

#: A name of a listing: whether it is that of an object, and its bytes if they are known.
Name = tuple[str, bool, "int | None"]


class Callbacks(Protocol):
    """What the engine calls. It does so from several threads at once."""

    #: Whether a part of an object costs less to get than all of it.
    gets_parts: bool

    def get(self, wanted: list[Wanted]) -> list[Any]:
        """For each of `wanted` its bytes (for a size the number), None if there is no such object, or an exception."""

    def put(self, objects: list[tuple[str, bytes]]) -> list[BaseException | None]:
        """Puts objects, each whole; for each None, or an exception."""

    def list(self, prefix: str) -> list[Name]:
        """Everything directly below a prefix."""

    def delete(self, key: str) -> None:
        """Deletes an object, if it is there."""


def opened(
    location: str | os.PathLike[str], storage_options: dict[str, Any] | None, mode: str
) -> tuple[Any, str]:
    """The zarr store of a path or URL, and a path in it."""
    from zarr.core.sync import sync
    from zarr.storage import LocalStore
    from zarr.storage._common import make_store_path

    text = os.fspath(location)
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    if "://" not in text:
        # Whatever the working directory is later.
        text = os.path.abspath(text)
    if "://" not in text:
        # As it is: make_store_path would make a folder where there is none.
        return LocalStore(text, read_only=mode == "r"), ""
    path = sync(make_store_path(text, mode=mode, storage_options=storage_options))
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
            FSMap = ()  # noqa: N806
        if isinstance(given, FSMap):
            return FsspecStore.from_mapper(given)
        return MemoryStore(_Buffers(given))  # type: ignore[arg-type]
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


def place(store: Any, path: str = "") -> Any:
    """Where `path` of a zarr store lies, as the extension knows it."""
    from zarr.storage import LocalStore

    from zarrange._store import Store

    # One of another class may do something else.
    if type(store) is LocalStore or type(store) is Store:
        root = os.fspath(store.path if isinstance(store, Store) else store.root)
        return os.path.join(root, path) if path else root
    return (_native.CallbackStore(ZarrCallbacks(store), str(store)), path)


class ZarrCallbacks:
    """The callbacks of a zarr store."""

    gets_parts = True

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, wanted: list[Wanted]) -> list[Any]:
        return _together(self._get(*one) for one in wanted)

    def put(self, objects: list[tuple[str, bytes]]) -> list[BaseException | None]:
        return _together(self._put(key, data) for key, data in objects)

    def list(self, prefix: str) -> list[Name]:
        return _together([self._list(prefix)], raising=True)[0]

    def delete(self, key: str) -> None:
        _together([self._store.delete(key)], raising=True)

    async def _get(self, key: str, what: str, begin: int, end: int) -> Any:
        from zarr.abc.store import RangeByteRequest
        from zarr.core.buffer import default_buffer_prototype

        if what == "size":
            try:
                return await self._store.getsize(key)
            except FileNotFoundError:
                return None
        part = RangeByteRequest(begin, end) if what == "range" else None
        found = await self._store.get(key, default_buffer_prototype(), byte_range=part)
        return None if found is None else found.as_numpy_array().reshape(-1).view("u1")

    async def _put(self, key: str, data: bytes) -> None:
        from zarr.core.buffer.cpu import Buffer

        await self._store.set(key, Buffer.from_bytes(data))

    async def _list(self, prefix: str) -> list[Name]:
        from zarr.storage import FsspecStore, ObjectStore

        if isinstance(self._store, FsspecStore):
            return await _listed_by_fsspec(self._store, prefix)
        if isinstance(self._store, ObjectStore):
            return await _listed_by_obstore(self._store, prefix)
        begin = f"{prefix}/" if prefix else ""
        return await _first_parts(self._store.list_prefix(begin), begin)


def _together(awaitables: Any, raising: bool = False) -> list[Any]:
    """What all of them return, or raise."""
    from zarr.core.sync import sync

    async def gathered() -> list[Any]:
        return await asyncio.gather(*awaitables, return_exceptions=not raising)

    return sync(gathered())


async def _first_parts(keys: AsyncIterator[str], begin: str) -> list[Name]:
    """The names directly below a prefix, of all keys below it: such a listing says what is an object."""
    objects: set[str] = set()
    prefixes: set[str] = set()
    async for key in keys:
        name, slash, _ = key.removeprefix(begin).partition("/")
        (prefixes if slash else objects).add(name)
    names: list[Name] = [(name, True, None) for name in objects]
    return names + [(name, False, None) for name in prefixes]


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
