"""zarrange.open: regions as arrays of numpy, whatever is stored and wherever."""

import asyncio
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import zarr
from conftest import array, numbered

import zarrange

DTYPES = ["?", "i1", "u8", "f2", "f4", "f8", "c8", "c16", "M8[s]", "M8[25us]", "m8[ns]", "U5", "S3", "V4"]

REGIONS = [
    np.s_[...],
    np.s_[:],
    np.s_[7],
    np.s_[-1],
    np.s_[:, 3],
    np.s_[..., -1],
    np.s_[5, ..., 6],
    np.s_[5, 6],
    np.s_[10:20, 3:50],
    np.s_[10:20, ...],
    np.s_[-5:, 1:2],
    np.s_[::3, 7::10],
    np.s_[::-1, 50:2:-7],
    np.s_[5:5],
    np.s_[60:90, -100:3],
    np.s_[3:4:9],
    np.s_[np.int64(3), np.uint8(4)],
    (),
]


def values(dtype):
    made = numbered((80, 60), "i8") % 97
    if np.dtype(dtype).kind == "V":
        return made.astype("i4").view(dtype)
    return made.astype(dtype)


def check(opened, expected):
    """Every region is what numpy says, type included."""
    assert (opened.shape, opened.dtype) == (expected.shape, expected.dtype)
    for region in REGIONS:
        found, right = opened[region], expected[region]
        np.testing.assert_array_equal(found, right, err_msg=str(region))
        assert type(found) is type(right), region
        assert found.dtype == right.dtype
        if isinstance(right, np.ndarray):
            assert found.shape == right.shape
            out = np.zeros(right.shape, right.dtype)
            assert opened.read(region, out=out) is out
            np.testing.assert_array_equal(out, right)
            spread = np.zeros((*right.shape, 2), right.dtype)[..., 0]
            np.testing.assert_array_equal(opened.read(region, out=spread), right)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type(dtype):
    expected = values(dtype)
    made = zarr.create_array("a.zarr", shape=(80, 60), chunks=(7, 60), dtype=dtype)
    made[...] = expected
    check(zarrange.open("a.zarr"), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (9, 13), "shards": (27, 26), "dimension_names": ["object", "epoch"]},
        {"chunks": (80, 1), "compressors": None},
        {"chunks": (3, 60), "filters": [zarr.codecs.TransposeCodec(order=(1, 0))]},
        {"chunks": (3, 60), "serializer": zarr.codecs.BytesCodec(endian="big")},
        {"chunks": (100, 100), "compressors": zarr.codecs.BloscCodec()},
        {"chunks": (5, 7), "zarr_format": 2},
        {"chunks": (5, 7), "zarr_format": 2, "dtype": ">f4"},
    ],
)
@pytest.mark.parametrize("kind", ["path", "URL", "array", "store", "dict", "Store"])
def test_every_layout_wherever_it_is(options, kind):
    stores = {
        "dict": {},
        "store": zarr.storage.MemoryStore(),
        "URL": zarr.storage.FsspecStore.from_url("memory://o.zarr"),
    }
    place = stores.get(kind, "o.zarr")
    made = array(place, attributes={"unit": "mJy"}, overwrite=True, **options)
    location = {"array": made, "URL": "memory://o.zarr", "Store": zarrange.Store("o.zarr")}.get(kind, place)
    opened = zarrange.open(location, threads=2)
    check(opened, numbered((80, 60)))
    assert opened.chunks == made.chunks
    assert opened.shards == made.shards
    assert opened.attrs == {"unit": "mJy"}
    assert opened.dims == getattr(made.metadata, "dimension_names", None)
    assert opened.zarr_format == made.metadata.zarr_format
    np.testing.assert_array_equal(np.asarray(opened), numbered((80, 60)))
    np.testing.assert_array_equal(list(opened), numbered((80, 60)))
    assert len(opened) == 80


def test_an_array_without_dimensions_and_one_without_elements():
    zarr.create_array("a.zarr", shape=(), dtype="f8")[...] = 2.5
    opened = zarrange.open("a.zarr")
    assert (opened[()], opened[...], float(np.asarray(opened))) == (2.5, 2.5, 2.5)
    zarr.create_array("b.zarr", shape=(0, 3), chunks=(1, 3), dtype="f8")
    assert zarrange.open("b.zarr")[...].shape == (0, 3)


def test_what_nobody_wrote_is_fill_value():
    zarr.create_array("a.zarr", shape=(50,), chunks=(7,), dtype="i2", fill_value=-3)
    opened = zarrange.open("a.zarr")
    assert opened.fill_value == -3
    np.testing.assert_array_equal(opened[...], np.full(50, -3, "i2"))
    assert opened.cost["chunks"] == 0


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.dtypes.StringDType(), np.array(["a", "", "much longer than that"], "T")),
        ("i4,f8", np.array([(1, 2.5), (3, 4.5), (5, 6.5)], "i4,f8")),
    ],
    ids=["text", "fields"],
)
def test_elements_that_have_no_number(dtype, expected):
    zarr.create_array("a.zarr", shape=(3,), chunks=(2,), dtype=dtype)[...] = expected
    opened = zarrange.open("a.zarr")
    np.testing.assert_array_equal(opened[...], expected)
    np.testing.assert_array_equal(opened[::-2], expected[::-2])
    assert opened[1] == expected[1]


def test_a_region_costs_its_chunks():
    array("a.zarr", chunks=(2, 60), shards=(40, 60))
    opened = zarrange.open("a.zarr")
    opened[7]
    assert (opened.cost["chunks"], opened.cost["requests"]) == (1, 2)
    store = zarrange.Store("a.zarr", counting=True)
    counted = zarrange.open(store)
    before = store.counts
    counted[7]
    assert (store.counts - before).reads == 2
    assert (store.counts - before).read_bytes == counted.cost["bytes"] == opened.cost["bytes"]


def large(shape=(3000, 2000)):
    made = zarr.create_array("large.zarr", shape=shape, chunks=(shape[0], 50), dtype="f4", fill_value=1)
    made[: shape[0] // 2] = numbered((shape[0] // 2, shape[1]))
    expected = np.ones(shape, "f4")
    expected[: shape[0] // 2] = numbered((shape[0] // 2, shape[1]))
    return expected


def test_many_chunks_are_read_by_several_threads_within_their_memory():
    expected = large()
    for threads in (1, 3):
        np.testing.assert_array_equal(
            zarrange.open("large.zarr", threads=threads, max_mem="64MB")[...], expected
        )
    with pytest.raises(MemoryError, match="memory budget exceeded"):
        zarrange.open("large.zarr", max_mem="100kB")[...]


def test_threads_of_python_run_meanwhile():
    large()
    opened, ran, done = zarrange.open("large.zarr"), [], threading.Event()

    def count():
        while not done.is_set():
            ran.append(1)

    thread = threading.Thread(target=count)
    thread.start()
    before = len(ran)
    opened[...]
    after = len(ran)
    done.set()
    thread.join()
    assert after > before


def test_groups_are_mappings():
    group = zarr.create_group("g.zarr", attributes={"survey": "deep"})
    array(group.create_group("spectra").store_path / "flux")
    group.create_array("ra", shape=(5,), dtype="f8")[...] = np.arange(5)
    Path("g.zarr/notes").mkdir()
    Path("g.zarr/broken").mkdir()
    Path("g.zarr/broken/zarr.json").write_text("{")
    opened = zarrange.open("g.zarr")
    assert isinstance(opened, zarrange.Group)
    assert sorted(opened) == ["broken", "ra", "spectra"]
    assert len(opened) == 3
    assert opened.attrs == {"survey": "deep"}
    assert "ra" in opened
    assert "notes" not in opened
    assert "g.zarr' of 3" in repr(opened)
    np.testing.assert_array_equal(opened["ra"][1:3], [1, 2])
    assert opened["spectra"]["flux"].path == "spectra/flux" == opened["spectra/flux"].path
    np.testing.assert_array_equal(zarrange.open("g.zarr", "spectra/flux")[3], numbered((80, 60))[3])
    np.testing.assert_array_equal(zarrange.open(group)["spectra/flux"][3], numbered((80, 60))[3])
    for missing in ["dec", "notes", "spectra/none", "", 7]:
        with pytest.raises(KeyError, match="name|is not in"):
            opened[missing]
    with pytest.raises(ValueError, match="broken"):
        opened["broken"]


def test_pickles_open_it_again():
    expected = numbered((80, 60))
    array(zarr.create_group("g.zarr").store_path / "flux")
    opened = zarrange.open("g.zarr", threads=1)["flux"]
    copied = pickle.loads(pickle.dumps(opened))
    assert repr(copied) == repr(opened)
    np.testing.assert_array_equal(copied[...], expected)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (80, "index 80 is out of bounds for dimension 0 of 80 elements"),
        ((0, -61), "index -61 is out of bounds for dimension 1 of 60 elements"),
        ((1, 2, 3), "3 indices are too many for an array of 2 dimensions"),
        ((..., 0, ...), "one ellipsis"),
        (None, "None is no index here"),
        (True, "True is no index here"),
        (np.bool_(True), "is no index here"),
        ([1, 2], r"\[1, 2\] is no index here.*oindex"),
        (np.array([1, 2]), "is no index here"),
        (1.5, "1.5 is no index here"),
        ("flux", "'flux' is no index here"),
        (slice("a", "b"), "is no slice of integers"),
    ],
)
def test_indices_that_are_none(region, message):
    array("a.zarr")
    with pytest.raises(IndexError, match=message):
        zarrange.open("a.zarr")[region]


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((80, 59), "f4"), ValueError, r"out has shape \(80, 59\) and type float32"),
        (np.zeros((80, 60), ">f4"), ValueError, "type >f4"),
        (np.broadcast_to(np.float32(0), (80, 60)), ValueError, "read-only"),
        ([0.0], TypeError, "not an array of numpy"),
    ],
)
def test_arrays_that_cannot_be_read_into(out, error, message):
    array("a.zarr")
    with pytest.raises(error, match=message):
        zarrange.open("a.zarr").read(..., out=out)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"location": "nowhere"}, FileNotFoundError, "nowhere"),
        ({"location": "."}, FileNotFoundError, "no Zarr array or group here"),
        ({"array": "b"}, FileNotFoundError, "b"),
        ({"array": "../a.zarr"}, ValueError, "leads elsewhere"),
        ({"mode": "w"}, ValueError, "mode='w' is neither"),
        ({"backend": "mmap"}, ValueError, "backend='mmap'.*read_only=True"),
        ({"threads": 0}, ValueError, "threads=0 must be 1 or more"),
        ({"max_mem": "much"}, ValueError, "max_mem='much' is not a size"),
        ({"storage_options": {"key": 1}}, ValueError, "storage_options.* are for URLs"),
        ({"location": 7}, TypeError, "7 is no store"),
    ],
)
def test_what_is_refused(arguments, error, message):
    array("a.zarr")
    with pytest.raises(error, match=message):
        zarrange.open(**{"location": "a.zarr"} | arguments)


def test_a_damaged_chunk_says_which():
    array("a.zarr")
    Path("a.zarr/c/3/0").write_bytes(b"no zstd")
    opened = zarrange.open("a.zarr")
    np.testing.assert_array_equal(opened[:6], numbered((80, 60))[:6])
    with pytest.raises(zarrange.CorruptChunkError, match="c/3/0"):
        opened[7]


@pytest.mark.parametrize(
    "region", [np.s_[2:4], np.s_[3], np.s_[3:9, 5:7], np.s_[::3, ::-2], np.s_[...], np.s_[4:4]]
)
@pytest.mark.parametrize("dtype", ["f4", "M8[s]", "U5"])
def test_regions_are_written(region, dtype):
    expected = values(dtype)
    array("a.zarr", chunks=(2, 25), dtype=dtype, shape=(80, 60))
    zarr.open_array("a.zarr")[...] = expected
    opened = zarrange.open("a.zarr", mode="r+")
    new = np.ones(expected[region].shape, "i8").astype(dtype)
    expected[region] = new
    opened[region] = new
    np.testing.assert_array_equal(zarr.open_array("a.zarr")[...], expected)
    opened[region] = expected[0, 0]
    expected[region] = expected[0, 0]
    np.testing.assert_array_equal(opened[...], expected)


def test_what_is_not_written():
    array("a.zarr", shards=(40, 60))
    with pytest.raises(ValueError, match=r"is only read: open it with mode='r\+'"):
        zarrange.open("a.zarr")[0] = 1
    with pytest.raises(ValueError, match="has shards.*zarr.open"):
        zarrange.open("a.zarr", mode="r+")[0] = 1
    array("b.zarr")
    with pytest.raises(ValueError, match="broadcast"):
        zarrange.open("b.zarr", mode="r+")[0] = [1, 2]
    np.testing.assert_array_equal(zarr.open_array("b.zarr")[...], numbered((80, 60)))


class Interrupting(zarr.storage.MemoryStore):
    """Ctrl-C comes with the first chunk, and the others take long."""

    gets = 0

    async def get(self, key, prototype, byte_range=None):
        if key.startswith("c/"):
            self.gets += 1
            if self.gets == 1:
                signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0.2)
        return await super().get(key, prototype, byte_range)


def test_ctrl_c_stops_a_long_read():
    store = Interrupting()
    made = zarr.create_array(store, shape=(100, 60_000), chunks=(1, 60_000), dtype="f4", fill_value=1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            zarrange.open(made, threads=1)[...]
    finally:
        signal.signal(signal.SIGINT, before)
    assert 0 < store.gets < 50


def test_it_reads_without_zarr():
    array("a.zarr")
    program = "import sys, zarrange; zarrange.open('a.zarr')[3:9]; print('zarr' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120
    )
    assert said.stdout == "False\n", said.stderr


def test_what_is_gone_is_missing():
    array("a.zarr")
    opened = zarrange.open("a.zarr")
    shutil.rmtree("a.zarr")
    with pytest.raises(OSError, match="a.zarr"):
        opened[...]


def test_what_is_written_need_not_be_writable():
    array(chunks=(8, 60))
    opened = zarrange.open("source.zarr", mode="r+")
    values = np.broadcast_to(np.arange(60, dtype="f4"), (8, 60))
    frozen = np.ascontiguousarray(values)
    frozen.flags.writeable = False
    opened[:8] = frozen
    opened[8:16] = values
    np.testing.assert_array_equal(zarr.open_array("source.zarr")[:16], np.vstack([values, values]))
