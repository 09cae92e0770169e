"""Stores of Python, arrays that are computed, and what goes wrong in them."""

import asyncio
import os
import pickle
import traceback

import dask.array
import fsspec.implementations.memory
import numpy as np
import pytest
import zarr
from conftest import Slices, array, numbered

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
        (lambda block: block[:-1], ValueError, r"source\[\d+:\d+, 0:60\] has shape \(1, 60\), not \(2, 60\)"),
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


@pytest.mark.parametrize("dtype", [np.dtypes.StringDType(), "U5", "S5", "f4"])
def test_without_dimensions(dtype):
    value = np.array(7 if dtype == "f4" else "star").astype(dtype)
    made = zarrange.rechunk(Slices(value), (), "10MB", "target.zarr").execute()
    assert made[()] == value[()]


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
    rechunked = zarrange.rechunk(source(), (80, 2), "1MB", "target.zarr")
    again = pickle.loads(pickle.dumps(rechunked))
    assert (again.plan, again.notes, again.explanation) == (rechunked.plan, [], rechunked.explanation)
    np.testing.assert_array_equal(again.execute()[...], numbered((80, 60)))
    # The target is in its way when it is carried out, not before.
    late = pickle.loads(pickle.dumps(rechunked))
    assert repr(late) == repr(rechunked)
    with pytest.raises(FileExistsError, match="target.zarr exists"):
        late.execute()


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


class Counting(zarr.storage.MemoryStore):
    """How many objects are got at once."""

    now = most = 0

    async def get(self, key, prototype, byte_range=None):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.001)
            return await super().get(key, prototype, byte_range)
        finally:
            self.now -= 1


@pytest.mark.parametrize("limit", [1, 3, None])
def test_gets_at_once_are_as_many_as_zarr_says(limit):
    source = array(Counting())
    with zarr.config.set({"async.concurrency": limit}):
        zarrange.rechunk(source, (80, 2), "1MB", "target.zarr", threads=2).execute()
    assert source.store.most == limit if limit else source.store.most > 3


def test_keys_in_memory_are_listed_once(monkeypatch):
    store, listed = zarr.storage.MemoryStore(), []
    group = zarr.create_group(store)
    for name in ("a", "a-b", "a/b/c", "b"):
        deep = group.require_group(name)
        deep.create_array("x", shape=(40,), chunks=(2,), dtype="f4")[...] = numbered(40)
        deep.require_group("x0").attrs["name"] = name
    whole = zarr.storage.MemoryStore.list

    def counted(self):
        listed.append(self)
        return whole(self)

    chunks = {"a/x": (40,), "a-b/x": None, "a/b/c/x": (7,), "b/x": (40,)}
    with monkeypatch.context() as patched:
        patched.setattr(zarr.storage.MemoryStore, "list", counted)
        rechunked = zarrange.rechunk(group, chunks, "1MB", {})
    assert sum(one is store for one in listed) == 1
    # What came between is seen.
    del group["b/x"]
    with pytest.raises((KeyError, FileNotFoundError, ValueError)):
        rechunked._job = None
        rechunked.execute()
    group.create_array("b/x", shape=(40,), chunks=(2,), dtype="f4")[...] = numbered(40)
    made = rechunked.execute()
    for name in ("a", "a-b", "a/b/c", "b"):
        np.testing.assert_array_equal(made[f"{name}/x"][...], numbered(40))
        assert made[f"{name}/x0"].attrs["name"] == name


class Unlisted(zarr.storage.MemoryStore):
    """As a web server: objects are found by their names."""

    supports_listing = False

    def list_prefix(self, prefix):
        raise NotImplementedError


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shards": (40, 60)},
        {"chunk_key_encoding": {"name": "default", "separator": "."}},
        {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
        {"zarr_format": 2},
        {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    ],
    ids=str,
)
def test_an_array_in_a_store_that_lists_nothing(options):
    source = array(Unlisted(), attributes={"a": 1}, fill_value=7, **options)
    missing = "c/3/0" if source.metadata.zarr_format == 3 else "3.0"
    source.store._store_dict.pop(missing, None)
    expected = source[...]
    made = zarrange.rechunk(source, (80, 2), "10MB", "target.zarr", verify="full").execute()
    np.testing.assert_array_equal(made[...], expected)
    assert (made.attrs.asdict(), made.fill_value) == ({"a": 1}, 7)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_group_in_a_store_that_lists_nothing(zarr_format):
    inside = zarr.storage.MemoryStore()
    group = zarr.create_group(inside, zarr_format=zarr_format)
    for name in ("x", "deep/y"):
        group.create_array(name, shape=(40,), chunks=(2,), dtype="f4")[...] = numbered(40)
    unlisted = zarr.open_group(Unlisted(inside._store_dict))
    with pytest.raises(
        NotImplementedError, match="give one array after the other, or a group with consolidated"
    ):
        zarrange.rechunk(unlisted, {}, "1MB", "target.zarr")
    made = zarrange.rechunk(unlisted["deep/y"], (40,), "1MB", "target.zarr").execute()
    np.testing.assert_array_equal(made[...], numbered(40))
    zarr.consolidate_metadata(inside)
    unlisted = zarr.open_group(Unlisted(inside._store_dict))
    for found, names in ((unlisted, ["x", "deep/y"]), (unlisted["deep"], ["y"])):
        target = f"{len(names)}.zarr"
        made = zarrange.rechunk(found, dict.fromkeys(names, (40,)), "1MB", target).execute()
        for name in names:
            np.testing.assert_array_equal(made[name][...], numbered(40))


def test_a_web_server_is_not_listed():
    store = zarr.storage.FsspecStore.from_url("memory://web.zarr")
    group = zarr.create_group(store)
    store.fs.protocol = ("http", "https")
    with pytest.raises(NotImplementedError, match="one array after the other"):
        zarrange.rechunk(group, {}, "1MB", "target.zarr")


@pytest.mark.parametrize(
    ("target", "relation"),
    [("source.zarr", "the same as"), ("source.zarr/in", "inside"), (".", "around")],
)
def test_a_target_at_the_source(target, relation):
    with pytest.raises((ValueError, FileExistsError), match=relation) as raised:
        zarrange.rechunk(array(), (80, 2), "1MB", target)
    assert raised.type is ValueError


class Changing(Slices):
    """Other elements each time."""

    def __getitem__(self, slices):
        return super().__getitem__(slices) + len(self.asked)


def test_a_target_that_differs_is_told_and_removed(tmp_path):
    source = Changing(numbered((80, 60)), (2, 60))
    with pytest.raises(zarrange.VerificationError, match="verification failed"):
        zarrange.rechunk(source, (80, 2), "1MB", "target.zarr", verify="full").execute()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("store", ["path", "memory"])
@pytest.mark.parametrize("dtype", ["f8", "T"])
def test_chunks_that_stay_as_they_are_are_computed_once(store, dtype):
    values = numbered((4, 400_000), "f8") if dtype == "f8" else numbered((4, 40_000), "i8").astype("T")
    source = Slices(values, (1, values.shape[1]))
    target = "target.zarr" if store == "path" else zarr.storage.MemoryStore()
    plain = {"compressors": None}
    result = zarrange.rechunk(source, None, "100MB", target, target_options=plain).execute()
    np.testing.assert_array_equal(result[...], values)
    # Of text only computing it tells how long it is: whether there is room for it, and then how much is to be read.
    most = 1 if dtype == "f8" else 3
    asked = list(map(str, source.asked))
    assert all(asked.count(one) <= most for one in asked), asked


class CountedFiles(fsspec.implementations.memory.MemoryFileSystem):
    """Files in memory, and how many bytes of chunks were got."""

    protocol = "counted"
    got = 0

    def cat_file(self, path, start=None, end=None, **kwargs):
        found = super().cat_file(path, start=start, end=end, **kwargs)
        type(self).got += len(found) if "/c/" in path else 0
        return found


@pytest.mark.parametrize("max_mem", ["2MB", "100MB"])
def test_objects_without_room_are_not_got_whole(max_mem):
    from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

    store = zarr.storage.FsspecStore(
        AsyncFileSystemWrapper(CountedFiles(skip_instance_cache=True)), path=f"/{max_mem}.zarr"
    )
    source = array(store, shape=(4, 1_000_000), chunks=(1, 1_000_000), dtype="f4", compressors=None)
    CountedFiles.got = 0
    result = zarrange.rechunk(source, None, max_mem, "target.zarr").execute()
    assert CountedFiles.got < 1.4 * source.nbytes
    np.testing.assert_array_equal(result[...], source[...])


def test_an_archive_is_written_and_read():
    with zarr.storage.ZipStore("target.zip", mode="w") as store:
        zarrange.rechunk(array(), (80, 2), "1MB", store).execute()
    archive = zarr.storage.ZipStore("target.zip", read_only=True)
    result = zarrange.rechunk(archive, (5, 60), "1MB", "target.zarr", verify="full").execute()
    np.testing.assert_array_equal(result[...], numbered((80, 60)))


def test_a_new_archive_is_a_target():
    store = zarr.storage.ZipStore("target.zip", mode="w")
    zarrange.rechunk(array(), (80, 2), "1MB", store).execute()
    store.close()
    np.testing.assert_array_equal(
        zarr.open_array(zarr.storage.ZipStore("target.zip", read_only=True))[...], numbered((80, 60))
    )
