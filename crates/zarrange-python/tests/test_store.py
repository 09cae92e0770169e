"""zarrange.Store: what zarr-python asks of a store, and what its backends and counters are for."""

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr
import zarr
from conftest import array, numbered
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.testing.store import StoreTests

import zarrange

BACKENDS = ["std", "io_uring", "auto"]


def backend(name):
    """The name of a backend that this machine has."""
    try:
        zarrange.Store(".", backend=name)
    except OSError as error:
        pytest.skip(str(error))
    return name


class Suite(StoreTests[zarrange.Store, cpu.Buffer]):
    """zarr-python's own tests of stores."""

    store_cls = zarrange.Store
    buffer_cls = cpu.Buffer
    options: ClassVar = {}

    async def set(self, store, key, value):
        path = Path(store.path, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value.to_bytes())

    async def get(self, store, key):
        return self.buffer_cls.from_bytes(Path(store.path, key).read_bytes())

    @pytest.fixture
    def store_kwargs(self, tmp_path):
        return {"path": str(tmp_path), **self.options}

    def test_store_repr(self, store):
        assert store.path in repr(store)
        assert str(store) == f"file://{store.path}"

    def test_store_supports_writes(self, store):
        assert store.supports_writes
        assert store.supports_deletes

    def test_store_supports_listing(self, store):
        assert store.supports_listing


class TestStd(Suite):
    options: ClassVar = {"backend": "std"}


class TestAuto(Suite):
    options: ClassVar = {"counting": True}


def run(awaitable):
    return asyncio.run(awaitable)


def fetch(store, key, byte_range=None):
    found = run(store.get(key, default_buffer_prototype(), byte_range))
    return None if found is None else found.to_bytes()


def put(store, key, data):
    run(store.set(key, cpu.Buffer.from_bytes(data)))


def keys(store, prefix=""):
    async def listed():
        return sorted([key async for key in store.list_prefix(prefix)])

    return run(listed())


@pytest.mark.parametrize("name", [*BACKENDS, "mmap"])
@pytest.mark.parametrize(
    ("byte_range", "expected"),
    [
        (None, b"0123456789"),
        (RangeByteRequest(2, 5), b"234"),
        (RangeByteRequest(8, 99), b"89"),
        (RangeByteRequest(20, 30), b""),
        (RangeByteRequest(5, 2), b""),
        (OffsetByteRequest(7), b"789"),
        (OffsetByteRequest(10), b""),
        (SuffixByteRequest(3), b"789"),
        (SuffixByteRequest(0), b""),
        (SuffixByteRequest(99), b"0123456789"),
    ],
)
def test_ranges(name, byte_range, expected):
    put(zarrange.Store("s"), "a/b", b"0123456789")
    store = zarrange.Store("s", backend=backend(name) if name != "mmap" else name, read_only=True)
    assert fetch(store, "a/b", byte_range) == expected
    assert fetch(store, "a/missing", byte_range) is None
    assert fetch(store, "a", byte_range) is None, "a folder is no object"
    assert fetch(store, "a/b/c", byte_range) is None, "nothing is below an object"


def test_prefixes_are_of_names():
    store = zarrange.Store("s")
    for key in ["zarr.json", "foo/a", "foo/deep/b", "foo-bar/c", "foobar"]:
        put(store, key, b"12")
    assert keys(store) == ["foo-bar/c", "foo/a", "foo/deep/b", "foobar", "zarr.json"]
    assert keys(store, "foo") == ["foo-bar/c", "foo/a", "foo/deep/b", "foobar"]
    assert keys(store, "foo/d") == ["foo/deep/b"]
    assert keys(store, "foobar/") == []
    assert keys(store, "/foo") == []
    assert run(store.getsize_prefix("foo")) == 4
    run(store.delete_dir("foobar"))
    run(store.delete_dir("foo"))
    assert keys(store) == ["foo-bar/c", "foobar", "zarr.json"]
    run(store.delete("foobar"))
    run(store.clear())
    assert keys(store) == []
    assert os.path.isdir("s")


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../x", "a//b"])
def test_keys_stay_inside(key):
    store = zarrange.Store("s")
    for call in (fetch, lambda store, key: put(store, key, b"x"), lambda store, key: run(store.delete(key))):
        with pytest.raises(ValueError, match="key"):
            call(store, key)
    assert os.listdir() == ["s"]


def test_one_of_many_makes_a_key():
    store = zarrange.Store("s")
    put(store, "zarr.json", b"{}")

    async def all_at_once():
        await asyncio.gather(
            *(store.set_if_not_exists("new", cpu.Buffer.from_bytes(bytes([k]) * 9)) for k in range(20))
        )

    run(all_at_once())
    assert fetch(store, "new") in [bytes([k]) * 9 for k in range(20)]
    assert sorted(os.listdir("s")) == ["new", "zarr.json"], "nothing is left beside it"


def test_an_error_of_one_is_not_that_of_others():
    store = zarrange.Store("s")
    put(store, "good", b"1")
    os.mkfifo("s/pipe")

    async def both():
        keys = ["good", "pipe", "../x", "missing"]
        return await asyncio.gather(
            *(store.get(key, default_buffer_prototype()) for key in keys), return_exceptions=True
        )

    good, pipe, outside, missing = run(both())
    assert good.to_bytes() == b"1"
    assert isinstance(pipe, OSError)
    assert "FIFO" in str(pipe)
    assert isinstance(outside, ValueError)
    assert missing is None


@pytest.mark.parametrize("name", BACKENDS)
def test_what_zarr_writes_through_it_is_what_it_reads_without(name):
    values = numbered((80, 60), "f8")
    store = zarrange.Store("through.zarr", backend=backend(name))
    array(store, dtype="f8", shards=(40, 60), chunks=(4, 30))
    array("without.zarr", dtype="f8", shards=(40, 60), chunks=(4, 30))
    np.testing.assert_array_equal(zarr.open_array("through.zarr")[...], values)
    there = zarrange.Store("without.zarr", backend=name, read_only=True)
    np.testing.assert_array_equal(zarr.open_array(there, mode="r")[3:50:7, ::2], values[3:50:7, ::2])
    assert keys(there) == keys(store)


def survey():
    """Fluxes of 50 objects at 40 epochs, in chunks of 10 objects and 8 epochs."""
    flux = np.arange(2000, dtype="f4").reshape(50, 40)
    return xr.Dataset(
        {"flux": (("object", "epoch"), flux)}, coords={"epoch": np.arange(40) * np.timedelta64(1, "D")}
    )


def test_xarray_writes_and_reads_and_counters_say_what_a_light_curve_takes():
    store = zarrange.Store("survey.zarr", counting=True)
    survey().to_zarr(store, encoding={"flux": {"chunks": (10, 8)}})
    assert store.counts.writes > 25
    xr.testing.assert_identical(xr.open_zarr("survey.zarr", chunks=None), survey())
    opened = xr.open_zarr(store, chunks=None)
    before = store.counts
    np.testing.assert_array_equal(opened.flux[7].values, np.arange(280, 320, dtype="f4"))
    took = store.counts - before
    assert (took.reads, took.writes) == (5, 0), "a chunk for each 8 epochs"
    assert took.batches == 1, "which do not wait for each other"
    assert took.read_bytes == sum(os.path.getsize(f"survey.zarr/flux/c/0/{k}") for k in range(5))
    with pytest.raises(ValueError, match="counting=True"):
        _ = zarrange.Store("survey.zarr").counts


def test_the_engine_gets_the_folder():
    from zarrange import _stores

    array(zarrange.Store("source.zarr"))
    store = zarrange.Store("source.zarr", counting=True)
    assert _stores.place(store, "a/b") == f"{store.path}/a/b"
    rechunked = zarrange.rechunk(
        zarr.open_array(store, mode="r"), (80, 3), "1MB", zarrange.Store("target.zarr")
    )
    np.testing.assert_array_equal(rechunked.execute()[...], numbered((80, 60)))
    assert zarrange.verify("source.zarr", "target.zarr")


def test_read_only_copies_count_with_it():
    array("source.zarr")
    store = zarrange.Store("source.zarr", counting=True)
    zarr.open_array(store, mode="r")[...]
    assert store.counts.reads > 40
    assert store.with_read_only(True).counts == store.counts
    assert store.with_read_only(True) != store
    copied = pickle.loads(pickle.dumps(store))
    assert copied == store
    assert copied.counts.reads == 0
    np.testing.assert_array_equal(zarr.open_array(copied, mode="r")[...], numbered((80, 60)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"backend": "mmap"}, ValueError, "backend='mmap' is for stores that are not written"),
        ({"backend": "tape"}, ValueError, "backend=.tape. is none of"),
        ({"path": "s3://bucket/x"}, ValueError, "is no folder of this machine"),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        zarrange.Store(**{"path": "s"} | arguments)
    assert os.listdir() == []


def test_a_read_only_store_of_nothing_makes_nothing():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        zarr.open_group(zarrange.Store("nowhere", read_only=True), mode="r")
    assert os.listdir() == []


def test_the_loop_goes_on_meanwhile():
    """The stand-in of a disk is slow until the loop has turned."""
    store = zarrange.Store("s")
    put(store, "key", b"1")
    turned, held = threading.Event(), []

    class Slow:
        def get(self, wanted):
            held.append(turned.wait(20))
            return store.native().get(wanted)

    async def both():
        async def turn():
            turned.set()

        slow = store.with_read_only(True)
        slow.native = Slow
        got, _ = await asyncio.gather(slow.get("key"), turn())
        return got.to_bytes()

    assert run(both()) == b"1"
    assert held == [True]


FORK = """
import os, numpy as np, zarr, zarrange
store = zarrange.Store("source.zarr", counting=True)
array, opened = zarr.open_array(store, mode="r"), zarrange.open("source.zarr")
array[:3], opened[:3]
child = os.fork()
if child == 0:
    assert np.array_equal(zarr.open_array(store, mode="r")[...], np.arange(4800).reshape(80, 60))
    assert np.array_equal(opened[...], np.arange(4800).reshape(80, 60))
    assert store.backend == "std"
    try:
        zarrange.Store("source.zarr", backend="io_uring")
    except RuntimeError as error:
        assert "forked" in str(error)
    else:
        raise AssertionError
    os._exit(42)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(array[...], opened[...]))
"""


def test_after_a_fork_it_works_in_both():
    array("source.zarr")
    said = subprocess.run(
        [sys.executable, "-c", FORK], check=False, capture_output=True, text=True, timeout=120
    )
    assert said.stdout == "42 True\n", said.stderr


def test_importing_zarrange_does_not_import_zarr():
    program = "import sys, zarrange; assert 'Store' in dir(zarrange); assert 'zarr' not in sys.modules; print(zarrange.Store.__mro__[1])"
    said = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120
    )
    assert said.stdout == "<class 'zarr.abc.store.Store'>\n", said.stderr
