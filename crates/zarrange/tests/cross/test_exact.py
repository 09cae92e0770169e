"""What must hold exactly: empty chunks not stored, the same bytes each time, verify sees everything."""

import re
import shutil

import numpy as np
import pytest
import zarr
from support import CHUNKS, SHAPE, TARGET, WRITE_ALL, check_array, spec, stored, tree, values

# Chunks of nothing but fill value


def check_stored(run, tmp_path, *, dtype, fill, element, expected, args=("--chunks", "5,5")):
    """An array of 10 x 10 `fill` with `element` at (7, 2): the target stores the `expected` chunks only."""
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = np.full((10, 10), fill, dtype)
    data[7, 2] = element
    options = {"fill_value": fill, "config": WRITE_ALL}
    zarr.create_array(src, shape=(10, 10), chunks=(2, 10), dtype=dtype, **options)[...] = data
    assert len(stored(src)) == 5
    run("rechunk", src, dst, *args)
    assert stored(dst) == expected
    shards = (10, 10) if "--shards" in args else None
    check_array(dst, data, chunks=(5, 5), shards=shards, fill=fill)
    run("verify", src, dst)


EMPTY = {
    "int": ("i4", 0, 9),
    "int-fill": ("i4", -3, 0),
    "float": ("f4", 0.5, 0.25),
    "bool": ("?", True, False),
    "nan": ("f8", np.nan, 1.0),
    "nan-half": ("f2", np.nan, np.inf),
    "complex": ("c8", 1 - 2j, 1 + 2j),
}


@pytest.mark.parametrize("case", EMPTY.values(), ids=EMPTY.keys())
def test_only_the_chunk_with_another_value_is_stored(run, tmp_path, case):
    dtype, fill, element = case
    check_stored(run, tmp_path, dtype=dtype, fill=fill, element=element, expected=["c/1/0"])


@pytest.mark.parametrize("case", EMPTY.values(), ids=EMPTY.keys())
def test_nothing_is_stored(run, tmp_path, case):
    dtype, fill, _ = case
    check_stored(run, tmp_path, dtype=dtype, fill=fill, element=fill, expected=[])


def test_a_shard_of_nothing_is_not_stored(run, tmp_path):
    args = ("--chunks", "5,5", "--shards", "10,10")
    check_stored(run, tmp_path, dtype="i4", fill=4, element=4, expected=[], args=args)


def test_inner_chunks_of_nothing_take_no_room(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = np.zeros((10, 10), "i4")
    data[7, 2] = 9
    zarr.create_array(src, shape=(10, 10), chunks=(2, 10), dtype="i4", config=WRITE_ALL)[...] = data
    run("rechunk", src, dst, "--chunks", "5,5", "--shards", "10,10", "--codecs", "none")
    check_array(dst, data, chunks=(5, 5), shards=(10, 10), fill=0)
    # One inner chunk, and an index of four with its checksum.
    assert (dst / "c/0/0").stat().st_size == 5 * 5 * 4 + 4 * 16 + 4


@pytest.mark.parametrize("fill, element", [(0.0, -0.0), (-0.0, 0.0)])
def test_zeros_of_another_sign_are_stored(run, tmp_path, fill, element):
    # Equal as numbers, not as bits: only the sign would be lost.
    check_stored(run, tmp_path, dtype="f8", fill=fill, element=element, expected=["c/1/0"])


# What lies beyond the edge of the array


def test_beyond_the_edge_is_fill_value(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    zarr.create_array(src, shape=(5,), chunks=(2,), dtype="i4", fill_value=7, compressors=None)[...] = range(
        5
    )
    run("rechunk", src, dst, "--chunks", "3")
    assert np.frombuffer((dst / "c/1").read_bytes(), "<i4").tolist() == [3, 4, 7]


@pytest.mark.parametrize("shards", [[], ["--shards", "6"]], ids=["chunks", "shards"])
def test_what_another_writer_left_beyond_the_edge_is_not_taken_for_values(run, tmp_path, shards):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    zarr.create_array(src, shape=(7,), chunks=(4,), dtype="i4", fill_value=7, compressors=None)[...] = 7
    (src / "c").mkdir()
    (src / "c/1").write_bytes(np.array([7, 7, 7, 99], "<i4").tobytes())
    run("rechunk", src, dst, "--chunks", "3", *shards)
    assert stored(dst) == []
    check_array(dst, np.full(7, 7, "i4"), chunks=(3,), shards=(6,) if shards else None, fill=7)
    run("verify", src, dst)


# The same input and options


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "src.zarr"
    group = zarr.create_group(path, attributes={"b": 1, "a": [2, {"d": 3, "c": 4}]})
    data = values("f4", (40, 30))
    data[:20, 10:] = 0
    group.create_array("x", data=data, chunks=(40, 1), attributes={"z": 1, "y": 2})
    group.create_array("y", data=values("u1", (200,)), chunks=(13,))
    zarr.consolidate_metadata(path)
    return path


OPTIONS = {
    "direct": ["x:7,11", "--codecs", "zstd:3"],
    "small-memory": ["x:7,11", "--max-mem", "8kB"],
    "shards": ["x:5,5", "--shards", "x:20,30", "--codecs", "blosc:zstd:5:shuffle"],
    "shards-small-memory": ["x:5,5", "--shards", "x:20,30", "--max-mem", "16kB"],
    "gzip": ["x:40,30", "--codecs", "gzip:6"],
}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_the_same_bytes_each_time(run, tmp_path, source, options, threads):
    targets = [tmp_path / name for name in ("first", "second", "third")]
    for target in targets:
        run("rechunk", source, target, "--chunks", *options, "--threads", threads)
    first, second, third = map(tree, targets)
    assert len(first) > 4 and first == second == third


# verify


@pytest.fixture
def pair(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    array = zarr.create_array(
        src, shape=SHAPE, chunks=CHUNKS, dtype="f8", fill_value=0.0, attributes={"a": 1}
    )
    array[...] = values("f8", SHAPE)
    run("rechunk", src, dst, "--chunks", spec(TARGET))
    return src, dst


def check_different(run, a, b, *parts):
    """`verify` says that `a` and `b` differ, in both directions and both forms, and how."""
    for first, second in [(a, b), (b, a)]:
        done = run("verify", first, second, check=False)
        assert done.returncode == 1 and not done.stderr
        assert done.stdout.startswith("different: ")
        for part in parts:
            assert part in done.stdout
        done = run("verify", first, second, "--json", check=False)
        assert done.returncode == 1
        assert done.json["equal"] is False
        for part in parts:
            assert part in done.json["difference"]


def test_equal(run, pair):
    done = run("verify", *pair, "--json", "--backend", "std")
    assert done.json == {"equal": True, "difference": None, "not_compared": [], "backend": "std"}


@pytest.mark.parametrize("index", [(0, 0, 0), (12, 8, 4), (3, 4, 1), (7, 2, 0), (6, 8, 3)])
def test_one_changed_element(run, pair, index):
    src, dst = pair
    array = zarr.open_array(dst, mode="r+")
    array[index] = 12345.5
    check_different(run, src, dst, str(list(index)), "12345.5")


def test_the_first_of_two_changed_elements(run, pair):
    # Either may be found first; what is said must be one of them.
    src, dst = pair
    array = zarr.open_array(dst, mode="r+")
    array[1, 1, 1], array[11, 7, 3] = 777.25, 777.25
    done = run("verify", src, dst, check=False)
    assert done.returncode == 1
    assert "777.25" in done.stdout and ("[1, 1, 1]" in done.stdout or "[11, 7, 3]" in done.stdout)


def test_one_bit_of_one_element(run, pair):
    src, dst = pair
    array = zarr.open_array(dst, mode="r+")
    array[5, 5, 2] = np.nextafter(array[5, 5, 2], np.inf)
    check_different(run, src, dst, "[5, 5, 2]")


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_changed_special_value(run, tmp_path, value):
    # 0.0 against -0.0, NaN against a number, and the two infinities.
    a, b = tmp_path / "a.zarr", tmp_path / "b.zarr"
    data = values("f8", (20,))
    data[3] = value
    zarr.create_array(a, data=data, chunks=(6,), config=WRITE_ALL)
    data[3] = 1.5 if np.isnan(value) else -value
    zarr.create_array(b, data=data, chunks=(7,), config=WRITE_ALL)
    check_different(run, a, b, "[3]")


def test_nan_of_another_payload_is_equal(run, tmp_path):
    a, b = tmp_path / "a.zarr", tmp_path / "b.zarr"
    data = values("f8", (20,))
    data[3] = np.nan
    zarr.create_array(a, data=data, chunks=(6,))
    data.view("u8")[3] = 0xFFF8_0000_0000_0007
    zarr.create_array(b, data=data, chunks=(7,))
    run("verify", a, b)


def test_a_chunk_that_is_lost(run, pair):
    src, dst = pair
    (dst / "c/1/0/0").unlink()
    # Any element of the chunk may be the one that is found first, if it is not the fill value.
    done = run("verify", src, dst, check=False)
    assert done.returncode == 1
    found = tuple(map(int, re.search(r"element \[(\d+), (\d+), (\d+)\]", done.stdout).groups()))
    assert found[0] >= 7 and found[1] < 3
    assert values("f8", SHAPE)[found] != 0


def test_nothing_is_not_the_fill_value_of_another(run, tmp_path):
    a, b = tmp_path / "a.zarr", tmp_path / "b.zarr"
    for path, fill in [(a, 0), (b, 1)]:
        zarr.create_array(path, shape=(10,), chunks=(4,), dtype="i4", fill_value=fill)
    check_different(run, a, b, "fill value")


PROPERTIES = {
    "shape": ({"shape": (11,)}, "shape"),
    "rank": ({"shape": (10, 1), "chunks": (4, 1)}, "shape"),
    "type": ({"dtype": "u4"}, "data type"),
    "attribute": ({"attributes": {"a": 2}}, '"a"'),
    "attribute-type": ({"attributes": {"a": 1.5}}, '"a"'),
    "no-attribute": ({"attributes": {}}, '"a"'),
    "more-attributes": ({"attributes": {"a": 1, "b": 1}}, '"b"'),
}


@pytest.mark.parametrize("case", PROPERTIES.values(), ids=PROPERTIES.keys())
def test_a_changed_property(run, tmp_path, case):
    change, part = case
    a, b = tmp_path / "a.zarr", tmp_path / "b.zarr"
    like = {"shape": (10,), "chunks": (4,), "dtype": "i4", "attributes": {"a": 1}}
    zarr.create_array(a, **like)
    zarr.create_array(b, **{**like, **change})
    check_different(run, a, b, part)


def test_an_array_of_a_group(run, tmp_path, source):
    other = tmp_path / "other.zarr"
    shutil.copytree(source, other)
    zarr.open_array(other / "x", mode="r+")[33, 21] = -5.0
    check_different(run, source, other, '"x"', "[33, 21]", "-5")


def test_verify_changes_nothing(run, pair):
    before = [tree(path) for path in pair]
    run("verify", *pair)
    assert [tree(path) for path in pair] == before
