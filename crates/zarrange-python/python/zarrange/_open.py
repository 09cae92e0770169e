"""Arrays and groups that are read, region by region, by the engine's own codecs."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from zarrange import _display, _native, _paths, _process
from zarrange._sizes import parse_bytes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def open(  # noqa: A001, it is zarrange.open
    location: Any,
    array: str | None = None,
    *,
    mode: Literal["r", "r+"] = "r",
    backend: Literal["auto", "std", "io_uring"] = "auto",
    max_mem: str | int | None = None,
    threads: int | None = None,
    storage_options: dict[str, Any] | None = None,
) -> Array | Group:
    """Opens an array or a group, to be read with numpy.

    Parameters
    ----------
    location : str, path, zarr.Array, zarr.Group, Store, zarr store or mapping
        Where it is. A path, and a :class:`zarrange.Store`, are read without zarr-python.
    array : str, optional
        The path of an array or group in it.
    mode : {"r", "r+"}
        ``"r+"`` lets regions be written, too.
    backend : {"auto", "std", "io_uring"}
        What reads files, for a path.
    max_mem : str, int or None
        Memory for chunks while they are decoded, of all threads together, beside the region itself: ``"500MB"``. None is half of what is available.
    threads : int, optional
        Threads that decode chunks of one region; all processors without it. A region of little data is read by one.
    storage_options : dict, optional
        For URLs: passed to fsspec.

    Returns
    -------
    Array or Group

    Raises
    ------
    FileNotFoundError
        If there is no Zarr at the place.
    ValueError
        If its metadata is wrong, or a parameter is.

    Examples
    --------
    >>> flux = zarrange.open("by-object.zarr")  # doctest: +SKIP
    >>> flux[7]  # doctest: +SKIP
    """
    if mode not in ("r", "r+"):
        raise ValueError(f"mode={mode!r} is neither 'r' nor 'r+': zarr makes new arrays")
    if backend not in ("auto", "std", "io_uring"):
        given: str = backend
        also = (
            ": zarrange.Store(..., backend='mmap', read_only=True) can be opened" if given == "mmap" else ""
        )
        raise ValueError(f"backend={backend!r} is none of 'auto', 'std' and 'io_uring'{also}")
    if threads is not None and operator.index(threads) < 1:
        raise ValueError(f"threads={threads!r} must be 1 or more")
    memory = None if max_mem is None else parse_bytes(max_mem)
    place = _Place.of(location, backend, storage_options)
    return _Options(mode, memory, threads).opened(place.below(array) if array else place)


class _Place:
    """Where something is: for the extension, for zarr, and for people."""

    def __init__(self, root: Any, path: str, backend: str) -> None:
        #: A path of this machine, or a store of zarr.
        self._root = root
        self.path = path
        self._backend = backend

    @classmethod
    def of(cls, location: Any, backend: str, storage_options: dict[str, Any] | None) -> _Place:
        if isinstance(location, (str, os.PathLike)):
            folder = _paths.local(location)
            if folder is not None:
                if storage_options:
                    raise ValueError(
                        f"storage_options={storage_options!r} are for URLs, and {folder!r} is a path"
                    )
                return cls(folder, "", backend)
            from zarrange import _stores

            return cls(*_stores.opened(location, storage_options, mode="r"), backend)
        if hasattr(location, "store_path"):
            return cls(location.store_path.store, location.path, backend)
        from zarrange import _stores

        return cls(_stores.zarr_store(location), "", backend)

    def below(self, path: str) -> _Place:
        parts = [part for part in path.split("/") if part]
        if "." in parts or ".." in parts:
            raise ValueError(f"{path!r} leads elsewhere: the path of an array has no '.' and '..'")
        return _Place(self._root, "/".join([*filter(None, [self.path]), *parts]), self._backend)

    def native(self) -> Any:
        """What the extension opens at it."""
        backend = _process.opener(self._backend)
        if isinstance(self._root, str):
            return _native.open(os.path.join(self._root, self.path) if self.path else self._root, backend)
        from zarrange import _stores
        from zarrange._store import Store

        _process.check_loop()
        if type(self._root) is Store:
            return _native.open((self._root.native(), self.path), backend)
        return _native.open(_stores.place(self._root, self.path), backend)

    def with_zarr(self) -> Any:
        """The array as zarr-python opens it."""
        import zarr

        return zarr.open_array(self._root, path=self.path, mode="r")

    def __str__(self) -> str:
        return "/".join(part for part in (str(self._root), self.path) if part)


class _Options:
    """How arrays are read and written."""

    def __init__(self, mode: str, max_mem: int | None, threads: int | None) -> None:
        self.mode = mode
        self._asked = (max_mem, threads)
        self._known: dict[str, int] | None = None

    def limits(self) -> dict[str, int]:
        if self._known is None:
            max_mem, threads = self._asked
            self._known = {
                "max_mem": max_mem or _native.default_max_mem(),
                "threads": threads or _native.threads(),
            }
        return self._known

    def opened(self, place: _Place, native: Any = None) -> Array | Group:
        native = place.native() if native is None else native
        return (Array if isinstance(native, _native.Array) else Group)(place, self, native)

    def __reduce__(self) -> Any:
        return _Options, (self.mode, *self._asked)


class _Node:
    """What arrays and groups have in common."""

    _attributes: dict[str, Any]

    def __init__(self, place: _Place, options: _Options, native: Any) -> None:
        self._place, self._options = place, options
        self._opened = (os.getpid(), native)

    @property
    def _native(self) -> Any:
        # Threads of a process that was forked are not in this one.
        if self._opened[0] != os.getpid():
            self._opened = (os.getpid(), self._place.native())
        return self._opened[1]

    @property
    def path(self) -> str:
        """Its path in what was opened first; empty for that itself."""
        return self._place.path

    @property
    def zarr_format(self) -> int:
        """The version of Zarr that it is stored in, 2 or 3."""
        return self._native.zarr_format

    @property
    def attrs(self) -> dict[str, Any]:
        """A copy of its attributes."""
        return dict(self._attributes)

    def __reduce__(self) -> Any:
        return _Options.opened, (self._options, self._place)


class Group(_Node, Mapping[str, "Array | Group"]):
    """A group, as a mapping of the names of what is directly in it. Made by :func:`zarrange.open`.

    ``group["spectra/flux"]`` is what is deeper in it.
    """

    def __init__(self, place: _Place, options: _Options, native: Any) -> None:
        super().__init__(place, options, native)
        self._attributes = json.loads(native.attributes)

    def __getitem__(self, name: str) -> Array | Group:
        if not isinstance(name, str) or not name.strip("/"):
            raise KeyError(f"{name!r} is no name of an array or group")
        try:
            return self._options.opened(self._place.below(name), self._native.open(name.strip("/")))
        except FileNotFoundError as error:
            raise KeyError(f"{name!r} is not in {self!r}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._native.names())

    def __len__(self) -> int:
        return len(self._native.names())

    def __repr__(self) -> str:
        names = self._native.names()
        more = ", ..." if len(names) > 8 else ""
        return f"<zarrange.Group {str(self._place)!r} of {len(names)}: {', '.join(names[:8])}{more}>"

    def __eq__(self, other: object) -> bool:
        # A mapping would compare what is in it.
        return self is other

    def __hash__(self) -> int:
        return id(self)


class Array(_Node):
    """An array of which regions are read as arrays of numpy. Made by :func:`zarrange.open`.

    ``a[10:20, ..., -1]`` reads what integers, slices and an ellipsis say, and nothing else of the chunks than it takes. Other threads of Python run
    meanwhile, and Ctrl-C stops what takes long. Elements of any length (text), and those of codecs that are not known here, are read by zarr-python.

    Attributes
    ----------
    shape, chunks : tuple of int
        Of the array, and of a chunk (the largest, where they differ; within shards if there are any).
    shards : tuple of int or None
        Of a shard, if chunks lie in shards.
    dtype : numpy.dtype
        In the byte order of this machine.
    dims : tuple of str or None
        The names of the dimensions, if it has any.
    attrs : dict
        A copy of its attributes.
    fill_value : numpy scalar
        What elements are that nobody has written.
    """

    def __init__(self, place: _Place, options: _Options, native: Any) -> None:
        super().__init__(place, options, native)
        document = json.loads(native.document)
        self._attributes = document.get("attributes", {})
        self.shape: tuple[int, ...] = tuple(document["shape"])
        self.chunks: tuple[int, ...] = tuple(native.chunks)
        self.shards: tuple[int, ...] | None = None if native.shards is None else tuple(native.shards)
        names = document.get("dimension_names") or self._attributes.get("_ARRAY_DIMENSIONS")
        self.dims: tuple[str | None, ...] | None = None if names is None else tuple(names)
        self._cost = [0] * 5
        self._read_by_zarr: Any = None
        self.dtype: np.dtype[Any]
        self.fill_value: Any
        self.dtype, self.fill_value = self._type(document["data_type"], native.elements)

    def _type(self, data_type: Any, elements: tuple[int, bytes] | None) -> tuple[np.dtype[Any], Any]:
        import numpy as np

        dtype = _dtype(data_type) if elements is not None else None
        if elements is None or dtype is None or dtype.itemsize != elements[0]:
            self._read_by_zarr = self._place.with_zarr()
            return self._read_by_zarr.dtype, self._read_by_zarr.fill_value
        return dtype, np.frombuffer(elements[1], dtype)[0]

    @property
    def ndim(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements in memory."""
        return self.size * self.dtype.itemsize

    @property
    def cost(self) -> dict[str, int]:
        """What reading has taken since the array was opened.

        ``chunks`` that were decoded, ``requests`` to the store (those for the indexes of shards too), ``bytes`` that were read, ``stored_bytes`` of the
        chunks that were wanted, and ``chunk_bytes``, the array bytes of these chunks. What zarr-python reads is not counted.
        """
        names = ("chunks", "requests", "bytes", "stored_bytes", "chunk_bytes")
        return dict(zip(names, self._cost, strict=True))

    def read(self, region: Any = ..., out: npt.NDArray[Any] | None = None) -> Any:
        """Reads a region.

        Parameters
        ----------
        region : int, slice, Ellipsis or tuple of these
            As in ``a[region]``. A slice with a step reads all from its first element to its last.
        out : numpy.ndarray, optional
            Where to: of the shape of the region and the type of the array. Where it is contiguous, chunks are decoded to where they belong in it.

        Returns
        -------
        numpy.ndarray or scalar
            `out`, or a new array; a scalar where `region` is an integer for every dimension, without an ellipsis.

        Raises
        ------
        IndexError
            For an index that is not inside the array, or anything else than integers, slices and an ellipsis.
        ValueError
            If `out` has another shape or type, or cannot be written.
        CorruptChunkError
            If a chunk cannot be decoded.
        MemoryError
            If `max_mem` does not suffice for one chunk.
        """
        import numpy as np

        wanted = _Region(region, self.shape)
        if out is not None:
            self._check_out(out, wanted)
        if self._read_by_zarr is not None:
            found = wanted.picked(np.asarray(self._read_by_zarr[wanted.slices]))
            return wanted.given(found, out)
        if out is not None and wanted.is_plain and out.flags.c_contiguous:
            self._read(wanted, out)
            return out
        found = np.empty(wanted.count, self.dtype)
        self._read(wanted, found)
        return wanted.given(wanted.picked(found), out)

    def _check_out(self, out: Any, wanted: _Region) -> None:
        import numpy as np

        if not isinstance(out, np.ndarray):
            raise TypeError(f"out is {type(out)}, not an array of numpy")
        if out.shape != wanted.shape or out.dtype != self.dtype:
            raise ValueError(
                f"out has shape {out.shape} and type {out.dtype}: the region has {wanted.shape} and {self.dtype}"
            )
        if not out.flags.writeable:
            raise ValueError("out cannot be written: it is read-only")

    def _read(self, wanted: _Region, to: npt.NDArray[Any]) -> None:
        cost = self._native.read((wanted.start, wanted.count), _bytes_of(to), **self._options.limits())
        self._cost = [sum(pair) for pair in zip(self._cost, cost, strict=True)]

    def __getitem__(self, region: Any) -> Any:
        return self.read(region)

    def __setitem__(self, region: Any, values: Any) -> None:
        """Writes a region. Chunks that it has only a part of are read first: nobody else may write them at the same time."""
        import numpy as np

        if self._options.mode != "r+":
            raise ValueError(f"{self!r} is only read: open it with mode='r+'")
        way_round = "zarr.open(...)[...] = values writes it"
        if self.shards is not None:
            raise ValueError(f"{self!r} has shards, of which no parts are written here: {way_round}")
        if self._read_by_zarr is not None:
            raise ValueError(f"elements of type {self.dtype} are not written here: {way_round}")
        wanted = _Region(region, self.shape)
        start, count = self._native.whole_chunks((wanted.start, wanted.count))
        # An array of our own, which nobody changes while it is written.
        whole = np.empty(count, self.dtype)
        inner = tuple(
            slice(a - b, a - b + n) for a, b, n in zip(wanted.start, start, wanted.count, strict=True)
        )
        if not (wanted.is_plain and list(wanted.count) == count):
            self._native.read((start, count), _bytes_of(whole), **self._options.limits())
        whole[inner][wanted.picks] = values
        self._native.write((start, count), _bytes_of(whole))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        import numpy as np

        if copy is False:
            raise ValueError(f"{self!r} is not in memory: reading it makes an array")
        return np.asarray(self.read(...), dtype=dtype)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without dimensions has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __repr__(self) -> str:
        told = [f"shape={self.shape}", f"dtype={self.dtype}", f"chunks={self.chunks}"]
        told += [f"shards={self.shards}"] if self.shards is not None else []
        told += [f"dims={self.dims}"] if self.dims is not None else []
        return f"<zarrange.Array {str(self._place)!r} {' '.join(told)}, {_display.size(self.nbytes)}>"


class _Region:
    """What an index means: the smallest region around it, and what of that is picked."""

    def __init__(self, key: Any, shape: tuple[int, ...]) -> None:
        parts = _parts(key, shape)
        self.start: list[int] = []
        self.count: list[int] = []
        picks: list[int | slice] = []
        for d, (part, size) in enumerate(zip(parts, shape, strict=True)):
            start, count, pick = _along(part, size, d)
            self.start.append(start)
            self.count.append(count)
            picks.append(pick)
        #: What of the region is wanted, as numpy indexes it.
        self.picks = tuple(picks)
        #: The region, as numpy indexes the whole array.
        self.slices = tuple(slice(a, a + n) for a, n in zip(self.start, self.count, strict=True))
        #: The shape of what is wanted.
        self.shape = tuple(
            len(range(count)[pick])
            for count, pick in zip(self.count, picks, strict=True)
            if isinstance(pick, slice)
        )
        # With an ellipsis numpy makes an array of a single element, too.
        self._is_element = (
            not self.shape and all(isinstance(pick, int) for pick in picks) and not _has_dots(key)
        )
        self._has_steps = any(isinstance(pick, slice) and pick.step not in (None, 1) for pick in picks)

    @property
    def is_plain(self) -> bool:
        """Whether all of the region is wanted."""
        return not self._has_steps

    def picked(self, read: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # Without what lies between, which would be kept otherwise.
        return read[self.picks].copy() if self._has_steps else read.reshape(self.shape)

    def given(self, found: npt.NDArray[Any], out: npt.NDArray[Any] | None) -> Any:
        """What was found as it is returned."""
        if out is not None:
            out[...] = found
            return out
        return found[()] if self._is_element else found


def _parts(key: Any, shape: tuple[int, ...]) -> list[Any]:
    """An index for every dimension."""
    parts = list(key) if isinstance(key, tuple) else [key]
    dots = [k for k, part in enumerate(parts) if part is ...]
    if len(dots) > 1:
        raise IndexError("an index has one ellipsis ('...') at most")
    given = len(parts) - len(dots)
    if given > len(shape):
        raise IndexError(f"{given} indices are too many for an array of {len(shape)} dimensions")
    at = dots[0] if dots else len(parts)
    rest = [slice(None)] * (len(shape) - given)
    return parts[:at] + rest + parts[at + 1 :]


def _has_dots(key: Any) -> bool:
    return any(part is ... for part in (key if isinstance(key, tuple) else (key,)))


def _along(part: Any, size: int, d: int) -> tuple[int, int, int | slice]:
    """The first element and the number of elements of one dimension that are read, and what of them is picked."""
    if isinstance(part, slice):
        try:
            chosen = range(size)[part]
        except TypeError as error:
            raise IndexError(f"{part} is no slice of integers, in dimension {d}") from error
        if len(chosen) == 0:
            return 0, 0, slice(None)
        first = min(chosen[0], chosen[-1])
        count = abs(chosen[-1] - chosen[0]) + 1
        return first, count, slice(None) if chosen.step == 1 or count == 1 else slice(None, None, chosen.step)
    # What numpy has of its own for a boolean is one, too.
    if (
        type(part).__name__ in ("bool", "bool_")
        or not hasattr(part, "__index__")
        or getattr(part, "ndim", 0) > 0
    ):
        raise IndexError(
            f"{part!r} is no index here, in dimension {d}: integers, slices and '...' are; read a slice around what is wanted and pick from that, "
            "or use zarr.open(...).oindex"
        )
    index = operator.index(part)
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of bounds for dimension {d} of {size} elements")
    return index % size, 1, 0


def _bytes_of(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The bytes of a contiguous array: times have no buffer of their own."""
    return array.reshape(-1).view("u1")


def _dtype(data_type: Any) -> np.dtype[Any] | None:
    """The type of numpy that a data type of Zarr v3 is; None for another one."""
    import numpy as np

    name, config = (
        (data_type, {})
        if isinstance(data_type, str)
        else (data_type["name"], data_type.get("configuration", {}))
    )
    length = config.get("length_bytes", 0)
    if name in ("numpy.datetime64", "numpy.timedelta64"):
        unit = "" if config["unit"] == "generic" else f"[{config.get('scale_factor', 1)}{config['unit']}]"
        return np.dtype(name.removeprefix("numpy.") + unit)
    if name == "fixed_length_utf32":
        return np.dtype(f"U{length // 4}")
    if name == "null_terminated_bytes":
        return np.dtype(f"S{length}")
    if name == "raw_bytes":
        return np.dtype(f"V{length}")
    if name in ("struct", "structured"):
        fields = [(f["name"], f["data_type"]) if isinstance(f, dict) else tuple(f) for f in config["fields"]]
        dtypes = [(field, _dtype(of)) for field, of in fields]
        return None if any(dtype is None for _, dtype in dtypes) else np.dtype(dtypes)
    if name.startswith("r") and name[1:].isdigit():
        return np.dtype(f"V{int(name[1:]) // 8}")
    numbers = (
        "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128"
    )
    return np.dtype(name) if name in numbers.split() else None
