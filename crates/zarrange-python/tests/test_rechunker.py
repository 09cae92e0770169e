"""What rechunker's own tests assert, of arrays, groups, dask arrays, options, errors and reprs."""

import re

import dask.array
import numcodecs
import numpy as np
import pytest
import zarr
from conftest import array, numbered

import zarrange

DIMS = ["y", "x"]


def check(result, expected, chunks):
    """An array as zarr-python opens it: its elements, chunks, and that nothing is missing."""
    assert isinstance(result, zarr.Array)
    assert result.chunks == chunks
    np.testing.assert_array_equal(result[...], expected)


def name_in(target_store):
    return "_temp_array" if isinstance(target_store, zarr.Group) else None


@pytest.mark.parametrize("max_mem", [60_000, "60kB"])
@pytest.mark.parametrize("executor", ["threads", "python", "dask"])
@pytest.mark.parametrize(
    ("dims", "target_chunks", "chunks"),
    [
        (None, (80, 2), (80, 2)),
        (None, (-1, 2), (80, 2)),
        (None, [80, 2], (80, 2)),
        (DIMS, (80, 2), (80, 2)),
        (DIMS, {"y": 80, "x": 2}, (80, 2)),
        # What is not named keeps its chunks.
        (DIMS, {"x": 2}, (2, 2)),
        (DIMS, {"y": -1, "x": 1000}, (80, 60)),
        (None, None, (2, 60)),
    ],
)
def test_arrays(target_store, max_mem, executor, dims, target_chunks, chunks):
    source = array(dimension_names=dims, attributes={"foo": "bar"})
    rechunked = zarrange.rechunk(
        source, target_chunks, max_mem, target_store, executor=executor, array_name=name_in(target_store)
    )
    assert isinstance(rechunked, zarrange.Rechunked)
    result = rechunked.execute()
    check(result, numbered((80, 60)), chunks)
    assert result.attrs.asdict() == {"foo": "bar"}
    assert result.metadata.dimension_names == (tuple(dims) if dims else None)
    if isinstance(target_store, zarr.Group):
        assert target_store["_temp_array"].chunks == chunks


def test_an_array_of_zarr_2_has_its_dimensions_in_attributes():
    source = array(zarr_format=2, attributes={"_ARRAY_DIMENSIONS": DIMS})
    result = zarrange.rechunk(source, {"y": 80, "x": 2}, "1MB", "target.zarr").execute()
    check(result, numbered((80, 60)), (80, 2))
    assert result.metadata.zarr_format == 3
    assert result.metadata.dimension_names == tuple(DIMS)


@pytest.mark.parametrize("source_chunks", [(2, 60), (8, 60), ((3, 30, 47), (7, 53))])
@pytest.mark.parametrize("target_chunks", [(2, 60), (8, 60), (80, 2), (4, 60)])
def test_dask_arrays(target_store, source_chunks, target_chunks):
    source = dask.array.from_array(numbered((80, 60)), chunks=source_chunks)
    rechunked = zarrange.rechunk(
        source, target_chunks, 60_000, target_store, array_name=name_in(target_store)
    )
    check(rechunked.execute(), numbered((80, 60)), target_chunks)


@pytest.mark.parametrize("source_store", ["path", "memory"])
@pytest.mark.parametrize("executor", ["threads", "python", "dask"])
def test_groups(target_store, source_store, executor):
    source = zarr.create_group("source.zarr" if source_store == "path" else zarr.storage.MemoryStore())
    source.attrs["description"] = "root"
    a = source.create_array(
        "a", shape=(5, 10, 20), chunks=(1, 10, 20), dtype="f4", attributes={"description": "a"}
    )
    a[...] = numbered((5, 10, 20))
    for path in ("foo", "foo/bar", "foo/bar/baz"):
        source.require_group(path).attrs["description"] = path
    b = source.create_array(
        "foo/bar/baz/b", shape=(20,), chunks=(10,), dtype="f4", attributes={"description": "b"}
    )
    b[...] = numbered(20)
    source.create_array("left", shape=(3,), chunks=(3,), dtype="i4")
    chunks = {"a": (5, 10, 4), "foo/bar/baz/b": (20,)}
    with pytest.warns(UserWarning, match="left out: left$"):
        rechunked = zarrange.rechunk(source, chunks, "1MB", target_store, executor=executor)
    assert re.search(r"Left out +: left", repr(rechunked))
    result = rechunked.execute()
    assert isinstance(result, zarr.Group)
    assert result.attrs["description"] == "root"
    for path in ("foo", "foo/bar", "foo/bar/baz"):
        assert result[path].attrs["description"] == path
    check(result["a"], numbered((5, 10, 20)), (5, 10, 4))
    check(result["foo/bar/baz/b"], numbered(20), (20,))
    assert result["foo/bar/baz/b"].attrs["description"] == "b"
    assert "left" not in result
    if isinstance(target_store, zarr.Group):
        # Now it has members, and they are not to be lost.
        with pytest.raises(FileExistsError, match="exists"):
            zarrange.rechunk(source, chunks, "1MB", zarr.open_group("group.zarr"), executor=executor)


KINDS = ["array", "group", "dask"]


def asked(kind):
    """A source of a kind, chunks for it, and how options are given for it."""
    if kind == "group":
        group = zarr.open_group("source.zarr", mode="a")
        for name, shape, chunks in (("a", (10, 20, 40), (5, 10, 4)), ("b", (800,), (20,))):
            if name not in group:
                group.create_array(name, shape=shape, chunks=chunks, dtype="f4")[...] = numbered(shape)
        return group, {"a": (10, 5, 4), "b": (10,)}, lambda options: {"a": options, "b": options}
    if kind == "dask":
        return dask.array.from_array(numbered((80, 60)), chunks=(2, 60)), (80, 2), lambda options: options
    try:
        source = zarr.open_array("source.zarr", mode="r")
    except FileNotFoundError:
        source = array()
    return source, (80, 2), lambda options: options


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown(kind):
    source, chunks, _ = asked(kind)
    rechunked = zarrange.rechunk(source, chunks, "1MB", "target.zarr")
    assert repr(rechunked).startswith("<Rechunked>")
    for shown in (repr(rechunked), rechunked._repr_html_()):
        assert "Source" in shown
        assert "target.zarr" in shown
        assert "Intermediate" not in shown
    assert rechunked.predicted["target_chunks"] == {"array": 30, "group": 120, "dask": 30}[kind]


def test_an_intermediate_is_shown_and_removed(tmp_path):
    source = array(shape=(1000, 1000), chunks=(1, 1000))
    rechunked = zarrange.rechunk(source, (1000, 1), 40_000, "target.zarr", temp_store="temp")
    assert rechunked.predicted["spill_bytes"] > 0
    assert "Intermediate" in repr(rechunked)
    check(rechunked.execute(), numbered((1000, 1000)), (1000, 1))
    assert sorted(path.name for path in tmp_path.iterdir()) in (
        ["source.zarr", "target.zarr"],
        ["source.zarr", "target.zarr", "temp"],
    )
    assert not (tmp_path / "temp").exists() or not list((tmp_path / "temp").iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_is_replaced_only_if_that_is_asked(kind):
    source, chunks, options = asked(kind)
    zarrange.rechunk(source, chunks, "1MB", "target.zarr").execute()
    with pytest.raises(FileExistsError, match="target.zarr exists"):
        zarrange.rechunk(source, chunks, "1MB", "target.zarr")
    for _ in range(2):
        zarrange.rechunk(
            source, chunks, "1MB", "target.zarr", target_options=options({"overwrite": True})
        ).execute()
    zarrange.rechunk(source, chunks, "1MB", "target.zarr", overwrite=True).execute()


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_carried_out_again_where_its_target_is_replaced(kind):
    source, chunks, options = asked(kind)
    rechunked = zarrange.rechunk(
        source, chunks, "1MB", "target.zarr", target_options=options({"overwrite": True})
    )
    rechunked.execute()
    rechunked.execute()
    once = zarrange.rechunk(source, chunks, "1MB", "once.zarr")
    once.execute()
    with pytest.raises(FileExistsError):
        once.execute()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_asked_of_the_chunks(kind):
    source, chunks, _ = asked(kind)
    chunks = dict.fromkeys(chunks) if kind == "group" else None
    result = zarrange.rechunk(source, chunks, "1MB", "target.zarr").execute()
    if kind == "group":
        assert [result[name].chunks for name in "ab"] == [(5, 10, 4), (20,)]
    else:
        check(result, numbered((80, 60)), (2, 60))


def stored(path):
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


BLOSC = numcodecs.Blosc(cname="zstd", clevel=9, shuffle=numcodecs.Blosc.SHUFFLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "compressed",
    [
        {"compressor": BLOSC},
        {"compressor": BLOSC.get_config()},
        {"compressors": zarr.codecs.BloscCodec(cname="zstd", clevel=9, shuffle="shuffle", typesize=4)},
        {"compressors": [{"name": "zstd", "configuration": {"level": 3, "checksum": False}}]},
        {"compressor": numcodecs.Zstd(5)},
        {"compressor": numcodecs.GZip(5)},
    ],
    ids=str,
)
def test_codecs(kind, compressed, tmp_path):
    source, chunks, options = asked(kind)
    sizes = []
    for asked_for in ({"compressor": None}, compressed):
        target_options = options({"overwrite": True, **asked_for})
        result = zarrange.rechunk(
            source, chunks, "1MB", "target.zarr", target_options=target_options
        ).execute()
        sizes.append(stored(tmp_path / "target.zarr"))
        made = result["a"] if kind == "group" else result
        assert len(made.compressors) == (asked_for != {"compressor": None})
        np.testing.assert_array_equal(made[...], numbered(made.shape))
    assert sizes[1] < sizes[0]


def test_codecs_are_kept_where_none_are_asked_for():
    source = array(compressors=zarr.codecs.GzipCodec(level=7), fill_value=3)
    result = zarrange.rechunk(source, (80, 2), "1MB", "target.zarr").execute()
    assert result.compressors == source.compressors
    assert result.fill_value == 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"order": "F"}, {"filters": (zarr.codecs.TransposeCodec(order=(1, 0)),)}),
        ({"shards": (80, 20)}, {"shards": (80, 20), "chunks": (80, 2)}),
        ({"shards": (-1, -1), "compressor": None}, {"shards": (80, 60), "compressors": ()}),
        (
            {"serializer": zarr.codecs.BytesCodec(endian="big")},
            {"serializer": zarr.codecs.BytesCodec(endian="big")},
        ),
        ({"filters": [], "write_empty_chunks": True, "cache_metadata": False}, {"filters": ()}),
    ],
    ids=str,
)
def test_other_options(options, expected):
    result = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", target_options=options).execute()
    check(result, numbered((80, 60)), (80, 2))
    for name, value in expected.items():
        assert getattr(result, name) == value


@pytest.mark.parametrize(
    ("source", "chunks", "shards", "expected"),
    [
        # Lengths that the chunks do not divide: the whole dimension is as many chunks as it takes.
        (None, (30, 25), (-1, -1), (90, 75)),
        (None, (30, 25), (1000, 25), (90, 25)),
        (None, (30, 25), (90, 75), (90, 75)),
        (None, (30, 25), {"x": -1}, (30, 75)),
        (None, None, (7, -1), "shard"),
        ((40, 60), None, None, None),
        ((40, 60), (30, 25), None, None),
        ((40, 60), None, {"y": -1}, (80, 60)),
    ],
)
def test_shards(source, chunks, shards, expected):
    made = array(shards=source, dimension_names=DIMS)
    options = {"shards": shards}
    if expected == "shard":
        with pytest.raises(ValueError, match=expected):
            zarrange.rechunk(made, chunks, "1MB", "target.zarr", target_options=options)
        return
    result = zarrange.rechunk(made, chunks, "1MB", "target.zarr", target_options=options).execute()
    check(result, numbered((80, 60)), chunks or (2, 60))
    assert result.shards == expected


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize(
    "option",
    [
        lambda s: {"dimension_separator": s},
        lambda s: {"chunk_key_encoding": {"name": "default", "separator": s}},
    ],
)
def test_chunk_keys(separator, option, tmp_path):
    zarrange.rechunk(array(), (40, 30), "1MB", "target.zarr", target_options=option(separator)).execute()
    assert (tmp_path / "target.zarr" / f"c{separator}1{separator}1").exists()


@pytest.mark.parametrize("kind", ["array", "group"])
@pytest.mark.parametrize("option", ["shape", "chunks", "dtype", "store", "name", "unknown"])
@pytest.mark.parametrize("parameter", ["target_options", "temp_options"])
def test_an_option_that_is_not_possible(kind, option, parameter):
    source, chunks, options = asked(kind)
    with pytest.raises(ValueError, match=f"Zarr options must not include {option}"):
        zarrange.rechunk(source, chunks, "1MB", "target.zarr", **{parameter: options({option: True})})


def refused(source=None, chunks=(80, 2), max_mem="1MB", target="target.zarr", **more):
    return zarrange.rechunk(array() if source is None else source, chunks, max_mem, target, **more)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: refused(executor="unknown"), ValueError, "unrecognized executor"),
        (lambda: refused(executor=zarrange.executors.PythonExecutor), TypeError, "executor="),
        (
            lambda: refused([[1, 2], [3, 4]]),
            ValueError,
            "Source must be a Zarr Array, Zarr Group, Dask Array or Xarray Dataset",
        ),
        (
            lambda: refused(asked("group")[0], (10, 10)),
            ValueError,
            "You must specify ``target-chunks`` as a dict",
        ),
        (
            lambda: refused(asked("group")[0], None),
            ValueError,
            "You must specify ``target-chunks`` as a dict",
        ),
        (lambda: refused(asked("group")[0], {"nothing": (10,)}), KeyError, "nothing"),
        (lambda: refused(asked("group")[0], {"b": {"x": 1}}), KeyError, "no dimension names"),
        (
            lambda: refused(asked("group")[0], {"b": (1,)}, array_name="foo"),
            ValueError,
            "Can't specify `array_name`",
        ),
        (
            lambda: refused(asked("group")[0], {"b": (1,)}, target_options={"compressor": None}),
            ValueError,
            "compressor",
        ),
        (lambda: refused(target=zarr.create_group("group.zarr")), ValueError, "without a name for the array"),
        (lambda: refused(chunks=(80,)), ValueError, "must have length 2"),
        (lambda: refused(chunks=(80, 0)), ValueError, "neither"),
        (lambda: refused(chunks=(80, -2)), ValueError, "neither"),
        (lambda: refused(chunks=(80, "2")), TypeError, "no number"),
        (lambda: refused(chunks=7), TypeError, "no chunk"),
        (lambda: refused(chunks={"y": 3}), KeyError, "no dimension names"),
        (lambda: refused(array(dimension_names=DIMS), chunks={"z": 3}), KeyError, "no dimension 'z'"),
        (lambda: refused(max_mem=100), MemoryError, "memory limit of 100 bytes"),
        (lambda: refused(max_mem="1XB"), ValueError, "max_mem='1XB'"),
        (lambda: refused(max_mem=-5), ValueError, "max_mem=-5"),
        (lambda: refused(max_mem=[]), TypeError, "max_mem"),
        (lambda: refused("nothing.zarr"), FileNotFoundError, "nothing.zarr"),
        (lambda: refused(target=7), TypeError, "no store"),
        (
            lambda: refused(target=zarr.storage.LocalStore(".", read_only=True)),
            ValueError,
            "can only be read",
        ),
        (lambda: refused(target_options={"compressor": None, "compressors": None}), ValueError, "give one"),
        (lambda: refused(target_options={"compressor": 7}), ValueError, "no codecs"),
        (lambda: refused(target_options={"order": "K"}), ValueError, "order='K'"),
        (lambda: refused(target_options={"shards": (80, 3)}), ValueError, "shard"),
        (lambda: refused(backend="mmap"), ValueError, "backend='mmap'"),
        (lambda: refused(verify="some"), ValueError, "some"),
        (lambda: refused(durability="some"), ValueError, "some"),
        (lambda: refused(threads=0), ValueError, "threads=0"),
    ],
)
def test_what_is_refused(call, error, message, tmp_path):
    with pytest.raises(error, match=re.escape(message)):
        call()
    assert not (tmp_path / "target.zarr").exists()


def test_the_smallest():
    made = zarr.create_array("zero.zarr", shape=(), chunks=(), dtype="i4")
    made[...] = 7
    assert zarrange.rechunk(made, (), "1MB", "target.zarr").execute()[...] == 7
    empty = zarr.create_array("empty.zarr", shape=(0, 4), chunks=(1, 4), dtype="i4")
    assert zarrange.rechunk(empty, (5, 2), "1MB", "empty-target.zarr").execute().shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("100MB", 10**8),
        ("1 GiB", 2**30),
        ("1e3", 1000),
        ("2kb", 2000),
        ("MB", 10**6),
        ("3.5 KiB", 3584),
        (10.0, 10),
        (np.int64(9), 9),
    ],
)
def test_sizes(text, bytes_):
    from zarrange._sizes import parse_bytes

    assert parse_bytes(text) == bytes_


class Own:
    """An executor as somebody may write one."""

    def __init__(self):
        self.ran = []

    def prepare_plan(self, job):
        return [job]

    def execute_plan(self, plan, **kwargs):
        self.ran.append(kwargs)
        for job in plan[: kwargs.get("most", 1)]:
            job.execute()


def test_an_executor_of_ones_own():
    own = Own()
    rechunked = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor=own)
    check(rechunked.execute(scheduler="mine"), numbered((80, 60)), (80, 2))
    assert own.ran == [{"scheduler": "mine"}]
    with pytest.raises(RuntimeError, match="did not carry out"):
        zarrange.rechunk("source.zarr", (80, 2), "1MB", "other.zarr", executor=own).execute(most=0)


def test_what_is_not_carried_over_is_warned_of(tmp_path):
    source = zarr.create_group("source.zarr")
    source.create_array("a", shape=(4,), chunks=(2,), dtype="i4")
    (tmp_path / "source.zarr/notes.txt").write_text("of the night")
    with pytest.warns(UserWarning, match="notes.txt"):
        rechunked = zarrange.rechunk(source, {"a": (4,)}, "1MB", "target.zarr")
    assert "notes.txt" in repr(rechunked)
    assert "notes.txt" in rechunked._repr_html_()


def test_a_group_with_consolidated_metadata_knows_the_new_array():
    group = zarr.create_group("group.zarr")
    group.create_array("old", shape=(4,), chunks=(2,), dtype="i4")
    zarr.consolidate_metadata("group.zarr")
    group = zarr.open_group("group.zarr")
    zarrange.rechunk(array(), (80, 2), "1MB", group, array_name="deep/new").execute()
    opened = zarr.open_consolidated("group.zarr", mode="r")
    check(opened["deep/new"], numbered((80, 60)), (80, 2))
    assert "old" in opened


def test_a_file_url_is_a_path(tmp_path):
    array()
    result = zarrange.rechunk(
        f"file://{tmp_path}/source.zarr", (80, 2), "1MB", f"file://{tmp_path}/target.zarr"
    ).execute()
    check(result, numbered((80, 60)), (80, 2))
    assert isinstance(result.store, zarr.storage.LocalStore)


@pytest.mark.parametrize("name", ["/abs", "", "a/", ".", "a/../b"])
def test_names_that_lead_elsewhere(name):
    with pytest.raises(ValueError, match="array_name="):
        zarrange.rechunk(array(), (80, 2), "1MB", zarr.create_group("group.zarr"), array_name=name)


def test_options_replace_no_other_array():
    source, chunks, _ = asked("group")
    made = zarrange.rechunk(source, chunks, "1MB", "target.zarr").execute()
    for options, lost in (
        ({"a": {"overwrite": True}}, "b"),
        ({name: {"overwrite": True} for name in "ab"}, "precious"),
    ):
        if lost == "precious":
            made.create_array("precious", shape=(3,), dtype="i4")
        with pytest.raises(FileExistsError, match=f"has {lost}, which"):
            zarrange.rechunk(source, chunks, "1MB", "target.zarr", target_options=options)
    zarrange.rechunk(source, chunks, "1MB", "target.zarr", overwrite=True).execute()
    assert sorted(zarr.open_group("target.zarr").keys()) == ["a", "b"]


def test_a_prepared_group_is_replaced_once():
    source, chunks, _ = asked("group")
    rechunked = zarrange.rechunk(source, chunks, "1MB", zarr.create_group("target.zarr"))
    rechunked.execute()
    with pytest.raises(FileExistsError):
        rechunked.execute()
    for prepared in (
        zarr.create_group("mine.zarr", attributes={"title": "mine"}),
        zarr.create_group("v2.zarr", zarr_format=2),
    ):
        with pytest.raises((FileExistsError, ValueError), match="exists|Zarr v2"):
            zarrange.rechunk(source, chunks, "1MB", prepared)


def test_codecs_that_no_option_names_are_kept():
    gzip, big = zarr.codecs.GzipCodec(level=7), zarr.codecs.BytesCodec(endian="big")
    transpose = zarr.codecs.TransposeCodec(order=(1, 0))
    source = array(compressors=gzip, serializer=big, filters=transpose)
    for options, filters, compressors in (
        ({"order": "C"}, (), (gzip,)),
        ({"filters": []}, (), (gzip,)),
        ({"compressor": None}, (transpose,), ()),
        ({"order": "F"}, (transpose,), (gzip,)),
    ):
        made = zarrange.rechunk(
            source, (80, 2), "1MB", "target.zarr", target_options=options, overwrite=True
        ).execute()
        assert (made.filters, made.serializer, made.compressors) == (filters, big, compressors), options
