"""Stores of Python, arrays that are computed, and what goes wrong in them."""

import os
import pickle
import signal
import threading
import time
import traceback

import dask.array
import numpy as np
import pytest
import zarr
from conftest import array, numbered

import zarrange
from zarrange import _virtual


class Failing(zarr.storage.MemoryStore):
    """Raises in the middle."""

    fail = "get"

    async def get(self, key, prototype, byte_range=None):
        if self.fail == "get" and key.startswith("c/"):
            raise OSError(f"the tape is torn at {key}")
        return await super().get(key, prototype, byte_range)

    async def set(self, key, value, byte_range=None):
        if self.fail == "set" and key.startswith("c/"):
            raise OSError(f"the tape is full at {key}")
        await super().set(key, value)


@pytest.mark.parametrize("fail", ["get", "set"])
def test_the_exception_of_a_store_arrives_with_its_traceback(fail):
    store = Failing()
    store.fail = None
    source = array(store)
    store.fail = fail
    target = Failing()
    target.fail = fail
    with pytest.raises(OSError, match="the tape is") as raised:
        zarrange.rechunk(source, (80, 2), "1MB", target).execute()
    assert f"in {fail}" in "".join(traceback.format_tb(raised.value.__traceback__))
    assert not [key for key in target._store_dict if not key.startswith("c/")]


class Slices:
    """The least that is an array."""

    def __init__(self, values, chunks=None, answer=None):
        self.values, self.answer = values, answer or (lambda block: block)
        self.shape, self.dtype = values.shape, values.dtype
        if chunks:
            self.chunks = chunks
        self.asked = []

    def __getitem__(self, slices):
        self.asked.append(slices)
        return self.answer(self.values[slices])


@pytest.mark.parametrize("chunks", [None, (7, 60), ((3, 30, 47), (60,))])
@pytest.mark.parametrize("dtype", ["f4", ">i2", "bool", "c8", "U5", "S3", "M8[s]", "m8[ms]", "f2", "u8"])
def test_arrays_that_are_computed(chunks, dtype):
    values = numbered((80, 60), "i8") % 97
    values = values.astype("i8").astype(dtype) if np.dtype(dtype).kind in "mM" else values.astype(dtype)
    source = Slices(values, chunks)
    result = zarrange.rechunk(source, (80, 7), "1MB", "target.zarr").execute()
    np.testing.assert_array_equal(result[...], values)
    assert len(set(map(str, source.asked))) == len(source.asked), "each chunk is computed once"


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda block: block[:-1], ValueError, r"source\[0:2, 0:60\] has shape \(1, 60\), not \(2, 60\)"),
        (lambda block: block.astype("f8"), ValueError, "elements of type float64, not float32"),
        (lambda block: np.ma.masked_equal(block, block[0, 0]), ValueError, "masked"),
        (lambda block: 1 / 0, ZeroDivisionError, "division"),
    ],
)
def test_answers_that_are_wrong(answer, error, message, tmp_path):
    source = Slices(numbered((80, 60)), (2, 60), answer)
    with pytest.raises(error, match=message):
        zarrange.rechunk(source, (80, 2), "1MB", "target.zarr").execute()
    assert not (tmp_path / "target.zarr").exists()


def test_an_array_without_chunks_is_asked_for_pieces(monkeypatch):
    monkeypatch.setattr(_virtual, "PIECE_BYTES", 1000)
    source = Slices(numbered((80, 60)))
    zarrange.rechunk(source, (80, 7), 60_000, "target.zarr", verify="full").execute()
    assert {place[0].stop - place[0].start for place in source.asked} == {4}
    np.testing.assert_array_equal(zarr.open_array("target.zarr")[...], source.values)


def test_text_without_a_fixed_length():
    words = np.array(["", "a", "star", "Öresund"] * 5, dtype=np.dtypes.StringDType())
    result = zarrange.rechunk(Slices(words, (3,)), (7,), "10MB", "target.zarr").execute()
    assert list(result[...]) == list(words)


def test_types_without_a_place_in_zarr():
    with pytest.raises(ValueError, match="cannot be stored as Zarr"):
        zarrange.rechunk(Slices(np.array([object()])), None, "1MB", "target.zarr")


def test_unknown_shapes_are_refused():
    unknown = dask.array.from_array(numbered(10), chunks=5)
    unknown = unknown[unknown > 3]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        zarrange.rechunk(unknown, (5,), "1MB", "target.zarr")


def test_a_computed_array_says_what_it_stores():
    virtual = _virtual.VirtualArray(Slices(numbered((5, 4)), (2, 4)))
    names = {key: virtual.list(key) for key in ("", "c", "c/1")}
    assert names == {
        "": [("zarr.json", True, len(virtual.get([("zarr.json", "whole", 0, 0)])[0])), ("c", False, None)],
        "c": [("0", False, None), ("1", False, None), ("2", False, None)],
        "c/1": [("0", True, None)],
    }
    whole, part, size, missing = virtual.get(
        [
            ("c/2/0", "whole", 0, 0),
            ("c/2/0", "range", 4, 8),
            ("c/2/0", "size", 0, 0),
            ("c/3/0", "whole", 0, 0),
        ]
    )
    assert bytes(whole) == np.array([[16, 17, 18, 19], [0, 0, 0, 0]], "f4").tobytes()
    assert (bytes(part), size, missing) == (np.float32(17).tobytes(), 32, None)


def test_interrupting_leaves_no_target(tmp_path):
    begun = threading.Event()

    def slow(block):
        begun.set()
        time.sleep(0.02)
        return block

    source = Slices(numbered((1000, 60)), (1, 60), slow)
    rechunked = zarrange.rechunk(source, (1000, 1), "1MB", "target.zarr")
    main = threading.main_thread().ident

    def interrupt():
        begun.wait()
        signal.pthread_kill(main, signal.SIGINT)

    # Who runs this in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            rechunked.execute()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(source.asked) < 100, "it did not go on to the end"
    assert [path.name for path in tmp_path.iterdir()] == []


def test_what_progress_raises_stops_the_run(tmp_path):
    def told(phase, bytes_):
        raise LookupError("the scheduler is gone")

    with pytest.raises(LookupError, match="the scheduler is gone"):
        zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr").execute(progress=told)
    assert not (tmp_path / "target.zarr").exists()


def test_progress_is_told():
    phases, moved = [], []

    def told(phase, bytes_):
        (moved if phase is None else phases).append((phase, bytes_))

    zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", verify="full").execute(progress=told)
    assert len(phases) == 2
    assert sum(bytes_ for _, bytes_ in moved) == sum(bytes_ for _, bytes_ in phases)


def test_what_is_written_is_verified():
    result = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", verify="full")
    result.execute()
    assert result.report["verified"]
    assert zarrange.verify("source.zarr", "target.zarr")
    zarr.open_array("target.zarr", mode="r+")[3, 3] = -1
    comparison = zarrange.verify("source.zarr", "target.zarr")
    assert not comparison
    assert "[3, 3]" in comparison.difference


def test_a_corrupt_chunk_is_named(tmp_path):
    source = array()
    (tmp_path / "source.zarr/c/3/0").write_bytes(b"no chunk")
    with pytest.raises(zarrange.CorruptChunkError, match="source.zarr, chunk c/3/0"):
        zarrange.rechunk(source, (80, 2), "1MB", "target.zarr").execute()


@pytest.mark.parametrize("source", [array, lambda: dask.array.from_array(numbered((80, 60)), chunks=(2, 60))])
def test_a_plan_is_pickled(source):
    again = pickle.loads(pickle.dumps(zarrange.rechunk(source(), (80, 2), "1MB", "target.zarr")))
    np.testing.assert_array_equal(again.execute()[...], numbered((80, 60)))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_plan_is_carried_out_after_a_fork():
    rechunked = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", backend="std")
    child = os.fork()
    if child == 0:
        # What comes after the run is zarr's.
        done = rechunked._planned().execute() if rechunked._process != os.getpid() else None
        os._exit(0 if done else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(zarr.open_array("target.zarr")[...], numbered((80, 60)))


def test_fields_lie_where_they_are_said_to():
    for dtype in (
        np.dtype({"names": ["a", "b"], "formats": ["i2", "i2"], "offsets": [2, 0], "itemsize": 4}),
        np.dtype([("a", "i1"), ("b", ">f8")], align=True),
    ):
        values = np.zeros(8, dtype)
        values["a"], values["b"] = np.arange(8), 100 + np.arange(8)
        target = f"{dtype.itemsize}.zarr"
        made = zarrange.rechunk(Slices(values, (2,)), (8,), "1MB", target).execute()[...]
        for name in "ab":
            np.testing.assert_array_equal(made[name], values[name])


@pytest.mark.parametrize(
    ("chunks", "message"),
    [(((10, 10), (60,)), "do not add up"), ((10,), "as many"), ((np.int64(2), 60), None)],
)
def test_chunks_of_what_is_computed(chunks, message):
    source = Slices(numbered((80, 60)), chunks)
    if message is None:
        zarrange.rechunk(source, (80, 2), "1MB", "target.zarr").execute()
        return
    with pytest.raises(ValueError, match=message):
        zarrange.rechunk(source, (80, 2), "1MB", "target.zarr")


def test_chunks_of_different_lengths_become_the_largest():
    source = dask.array.from_array(numbered((80, 60)), chunks=((3, 30, 47), (7, 53)))
    made = zarrange.rechunk(source, None, "1MB", "target.zarr").execute()
    assert made.chunks == (47, 53)
    assert made.compressors == zarr.create_array({}, shape=(1,), dtype="f4").compressors
    np.testing.assert_array_equal(made[...], numbered((80, 60)))


def test_what_waits_for_the_loop_of_zarr_is_not_called_on_it():
    source = array()

    async def waits():
        zarrange.verify(source, source)

    from zarr.core.sync import sync

    with pytest.raises(RuntimeError, match="to_thread"):
        sync(waits())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["auto", "std"])
def test_a_job_begins_after_a_fork(backend):
    array()
    zarrange.rechunk("source.zarr", (80, 7), "1MB", "before.zarr", backend=backend).execute()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            zarrange.rechunk("source.zarr", (80, 7), "1MB", "after.zarr", backend=backend).execute()
            with pytest.raises(RuntimeError, match="forked"):
                zarrange.verify("source.zarr", "after.zarr")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(zarr.open_array("after.zarr")[...], numbered((80, 60)))


def test_what_is_stored_is_told():
    for source in (array(), array(zarr.storage.MemoryStore())):
        (told,) = zarrange.info(source)["nodes"]
        assert (told["shape"], told["chunks"], told["objects"], told["missing"]) == ([80, 60], [2, 60], 40, 0)
    assert "direct" in zarrange.rechunk("source.zarr", (80, 2), "1MB", "target.zarr").explanation
