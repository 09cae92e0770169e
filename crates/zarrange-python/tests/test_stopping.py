"""Ctrl-C: KeyboardInterrupt comes though a store or a chunk takes its time, and nothing of the target is left.

What is slow waits until the exception has come, so that no test depends on time: an engine that waited for it would wait for `PATIENCE`, and fail.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time

import dask.array
import numpy as np
import pytest
import zarr
from conftest import Slices, array, numbered

import zarrange
from zarrange import _dask

PATIENCE = 60

#: Without it dask would call what is mapped to find out.
META = np.empty((0, 0), "f4")


class Slow:
    """What begins and then takes its time."""

    def __init__(self):
        self.begun, self.released, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.cancelled = threading.Event()

    def __call__(self, block=None):
        self.begun.set()
        self.released.wait(PATIENCE)
        self.ended.set()
        return block


@contextlib.contextmanager
def interrupted(slow):
    """What is done in it is interrupted once something slow has begun, before that has ended."""
    main = threading.main_thread().ident

    def interrupt():
        if slow.begun.wait(PATIENCE):
            signal.pthread_kill(main, signal.SIGINT)

    # Who runs this in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
        assert not slow.ended.is_set(), "it was waited for"
    finally:
        signal.signal(signal.SIGINT, before)
        slow.released.set()
        thread.join()


class SlowStore(zarr.storage.MemoryStore):
    """Chunks of it never arrive."""

    slow = None

    async def get(self, key, prototype, byte_range=None):
        if self.slow and key.startswith("c/"):
            self.slow.begun.set()
            try:
                await asyncio.sleep(PATIENCE)
                self.slow.ended.set()
            except asyncio.CancelledError:
                self.slow.cancelled.set()
                raise
        return await super().get(key, prototype, byte_range)


class BlockingStore(zarr.storage.MemoryStore):
    """It holds the loop of zarr meanwhile."""

    slow = None

    async def get(self, key, prototype, byte_range=None):
        if self.slow and key.startswith("c/"):
            self.slow()
        return await super().get(key, prototype, byte_range)


def slow_store(kind, slow):
    source = array(kind())
    source.store.slow = slow
    return source


SOURCES = {
    "store": lambda slow: slow_store(SlowStore, slow),
    "blocking store": lambda slow: slow_store(BlockingStore, slow),
    "dask": lambda slow: dask.array.from_array(numbered((80, 60)), chunks=(2, 60)).map_blocks(
        slow, meta=META
    ),
    "slices": lambda slow: Slices(numbered((80, 60)), (2, 60), slow),
}


@pytest.mark.parametrize("executor", ["threads", "dask"])
@pytest.mark.parametrize("source", SOURCES)
def test_nobody_waits_for_what_is_slow(source, executor, tmp_path):
    slow = Slow()
    rechunked = zarrange.rechunk(SOURCES[source](slow), (80, 2), "1MB", "target.zarr", executor=executor)
    with interrupted(slow):
        rechunked.execute()
    assert list(tmp_path.iterdir()) == []
    assert source != "store" or slow.cancelled.wait(PATIENCE)


@pytest.mark.parametrize("executor", ["threads", "dask"])
@pytest.mark.parametrize("source_store", ["source.zarr", zarr.storage.MemoryStore])
@pytest.mark.parametrize("target_store", ["target.zarr", zarr.storage.MemoryStore])
def test_the_engine_stops(source_store, target_store, executor, tmp_path):
    source = array(source_store if isinstance(source_store, str) else source_store())
    target = target_store if isinstance(target_store, str) else target_store()
    slow = Slow()
    rechunked = zarrange.rechunk(source, (80, 2), 60_000, target, executor=executor)

    def told(phase, bytes_):
        slow.begun.set()
        until = time.monotonic() + PATIENCE
        while not rechunked._stop.requested and time.monotonic() < until:
            time.sleep(0.001)

    with interrupted(slow):
        rechunked.execute(progress=told)
    assert not (tmp_path / "target.zarr").exists()
    assert isinstance(target, str) or not target._store_dict
    again = zarrange.rechunk(source, (80, 2), 60_000, target).execute()
    np.testing.assert_array_equal(again[...], numbered((80, 60)))


@pytest.mark.parametrize("what", ["info", "verify"])
def test_what_only_reads_is_interrupted(what):
    slow = Slow()
    source = slow_store(SlowStore, slow) if what == "verify" else array(SlowList(slow))
    with interrupted(slow):
        zarrange.verify(source, source) if what == "verify" else zarrange.info(source)


class SlowList(zarr.storage.MemoryStore):
    def __init__(self, slow):
        super().__init__()
        self.slow = slow

    async def list_prefix(self, prefix):
        self.slow.begun.set()
        await asyncio.sleep(PATIENCE)
        self.slow.ended.set()
        yield ""


ALL_CHUNKS = [(k, 0) for k in range(80)]


@pytest.mark.parametrize(
    "compute",
    [
        lambda stopped, source: _dask.collections(stopped, [source]),
        lambda stopped, source: _dask.Chunks(source).computed(stopped, ALL_CHUNKS),
    ],
)
def test_what_dask_has_not_begun_does_not_begin(compute):
    begun = []

    def block(values):
        begun.append(len(values))
        return values

    source = dask.array.from_array(numbered((80, 60)), chunks=(1, 60)).map_blocks(block, meta=META)
    with dask.config.set(num_workers=1), pytest.raises(InterruptedError):
        compute(lambda: bool(begun), source)
    assert len(begun) == 1


def test_threads_of_dask_are_shared():
    source = dask.array.from_array(numbered((80, 60)), chunks=(2, 60))
    names = set()
    source = source.map_blocks(lambda block: (names.add(threading.get_ident()), block)[1], meta=META)
    with dask.config.set(num_workers=3):
        for turn in range(4):
            zarrange.rechunk(source, (80, 2), "1MB", f"{turn}.zarr", threads=2).execute()
    assert 1 <= len(names) <= 3


def test_the_command_ends_as_without_python(tmp_path):
    line = [sys.executable, "-m", "zarrange", "demo", "--objects", "200000"]
    default = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=default)
    until = time.monotonic() + PATIENCE
    while not list(tmp_path.iterdir()) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert b"Traceback" not in said
    assert b"stopped by SIGINT" in said
