"""Groups: every array and attribute arrives, each array in the chunks that were asked for it."""

import json

import numpy as np
import pytest
import zarr
from compare import expected_attributes
from support import assert_same, check_array, metadata, stored, tree, values
from zarr.codecs import LZ4

# path: shape, chunks, dtype, dimension names
ARRAYS = {
    "mag": ((20, 12), (20, 1), "f4", ("object", "epoch")),
    "flux/raw": ((20, 12, 3), (5, 4, 3), "u2", ("object", "epoch", "band")),
    "flux/deep/er": ((30,), (7,), "i8", ("epoch",)),
    "time": ((12,), (5,), "f8", ("epoch",)),
    "scalar": ((), (), "i4", None),
}
GROUPS = {
    "": {"title": "survey", "history": [1, {"by": "x"}]},
    "flux": {"level": 1},
    "flux/deep": {"level": 2, "unit": "µJy"},
    "empty": {"note": "nothing in here"},
}


@pytest.fixture(params=[3, 2], ids=["v3", "v2"])
def source(request, tmp_path):
    return write(tmp_path / "src.zarr", request.param)


def array_attributes(name, zarr_format):
    """In v2, xarray's convention is the only place for names of dimensions."""
    names = ARRAYS[name][3]
    return {"name": name, **({"_ARRAY_DIMENSIONS": list(names)} if names and zarr_format == 2 else {})}


def write(path, zarr_format):
    for name, attributes in GROUPS.items():
        group = zarr.open_group(path, path=name, mode="a", zarr_format=zarr_format)
        group.attrs.update(attributes)
    root = zarr.open_group(path, mode="a")
    for name, (shape, chunks, dtype, names) in ARRAYS.items():
        array = root.create_array(
            name,
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            fill_value=1,
            dimension_names=names if zarr_format == 3 else None,
            attributes=array_attributes(name, zarr_format),
        )
        array[...] = values(dtype, shape)
    return path


def check(source, path, arrays=tuple(ARRAYS), **chunks):
    """The group at `path` holds all of GROUPS and `arrays` of `source`, in the chunks of ARRAYS but for `chunks`."""
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    found = {name: member for name, member in root.members(max_depth=None)}
    assert found.keys() == {*arrays, *GROUPS} - {""}
    for name, attributes in GROUPS.items():
        group = found[name] if name else root
        assert isinstance(group, zarr.Group) and group.metadata.zarr_format == 3
        assert group.attrs.asdict() == attributes
    for name in arrays:
        shape, now, dtype, names = ARRAYS[name]
        check_array(
            path / name,
            values(dtype, shape),
            chunks=chunks.get(name.replace("/", "_"), now),
            fill=1,
            names=names,
            attributes=expected_attributes(source / name, zarr.open_array(source / name, mode="r")),
        )


def test_one_array_is_named_and_the_others_are_copied(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source, dst, "--chunks", "mag:1,12")
    check(source, dst, mag=(1, 12))
    run("verify", source, dst)


def test_what_is_copied_is_copied_unchanged(run, tmp_path):
    source, dst = write(tmp_path / "src.zarr", 3), tmp_path / "dst.zarr"
    run("rechunk", source, dst, "--chunks", "mag:1,12")
    for name in ARRAYS.keys() - {"mag"}:
        before, after = tree(source / name), tree(dst / name)
        assert json.loads(before.pop("zarr.json")) == json.loads(after.pop("zarr.json"))
        assert before == after, name


def test_several_arrays_are_named(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    specs = ["mag:1,-1", "flux/raw:band=1,object=10", "flux/deep/er:30", "time:keep", "scalar:keep"]
    run("rechunk", source, dst, "--chunks", *specs, "--codecs", "gzip:2")
    check(source, dst, mag=(1, 12), flux_raw=(10, 4, 1), flux_deep_er=(30,))
    run("verify", source, dst)


def test_chunks_of_each_option(run, tmp_path, source):
    # --chunks is repeatable, and a SPEC without a name holds for the arrays of --array.
    dst = tmp_path / "dst.zarr"
    specs = ["--chunks", "mag:10,6", "--chunks", "epoch=6", "--array", "flux/raw", "time"]
    run("rechunk", source, dst, *specs)
    check(source, dst, mag=(10, 6), flux_raw=(5, 6, 3), time=(6,))
    run("verify", source, dst)


def test_shards_of_one_array(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source, dst, "--chunks", "mag:2,3", "--shards", "mag:10,6")
    array = zarr.open_array(dst / "mag", mode="r")
    assert (array.chunks, array.shards) == ((2, 3), (10, 6))
    assert_same(array[...], values("f4", (20, 12)), "mag")
    run("verify", source, dst)


def test_only_named(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source, dst, "--chunks", "mag:1,12", "flux/raw:keep", "--only-named")
    check(source, dst, arrays=("mag", "flux/raw"), mag=(1, 12))
    for name in ["time", "scalar", "flux/deep/er"]:
        assert not (dst / name).exists()
    done = run("verify", source, dst, check=False)
    assert done.returncode == 1 and "an array in the first, nothing in the second" in done.stdout


def test_a_single_array_of_a_group(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source / "flux/raw", dst, "--chunks", "object=20")
    array = zarr.open_array(dst, mode="r")
    assert array.chunks == (20, 4, 3)
    assert_same(array[...], values("u2", (20, 12, 3)), "flux/raw")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_is_made_again(run, tmp_path, zarr_format):
    source, dst = write(tmp_path / "src.zarr", zarr_format), tmp_path / "dst.zarr"
    zarr.consolidate_metadata(source)
    run("rechunk", source, dst, "--chunks", "mag:1,12", "time:12")
    check(source, dst, mag=(1, 12), time=(12,))
    consolidated = zarr.open_group(dst, mode="r", use_consolidated=True)
    below = {name: member.metadata for name, member in consolidated.members(max_depth=None)}
    assert below.keys() == {*ARRAYS, *GROUPS} - {""}
    assert (below["mag"].chunks, below["time"].chunks) == ((1, 12), (12,))
    # Word for word what each array and group says itself.
    inline = metadata(dst)["consolidated_metadata"]
    assert (inline["kind"], inline["must_understand"]) == ("inline", False)
    for name, document in inline["metadata"].items():
        assert {k: v for k, v in document.items() if k != "consolidated_metadata"} == metadata(dst / name), (
            name
        )
    assert_same(consolidated["mag"][...], values("f4", (20, 12)), "mag")


def test_consolidated_metadata_leaves_out_what_only_named_drops(run, tmp_path):
    source, dst = write(tmp_path / "src.zarr", 3), tmp_path / "dst.zarr"
    zarr.consolidate_metadata(source)
    run("rechunk", source, dst, "--chunks", "mag:1,12", "--only-named")
    members = dict(zarr.open_group(dst, mode="r", use_consolidated=True).members(max_depth=None))
    assert members.keys() == {"mag", *GROUPS} - {""}


def test_no_consolidated_metadata_without_that_of_the_source(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source, dst, "--chunks", "mag:1,12")
    assert metadata(dst).get("consolidated_metadata") is None
    with pytest.raises(ValueError, match=r"[Cc]onsolidated"):
        zarr.open_group(dst, mode="r", use_consolidated=True)


def test_a_v2_group_leaves_nothing_of_v2(run, tmp_path):
    source, dst = write(tmp_path / "src.zarr", 2), tmp_path / "dst.zarr"
    zarr.consolidate_metadata(source)
    run("rechunk", source, dst, "--chunks", "mag:1,12")
    files = [name.rsplit("/")[-1] for name in tree(dst)]
    assert not {".zarray", ".zattrs", ".zgroup", ".zmetadata"} & set(files)
    assert set(stored(dst / "mag")) == {f"c/{k}/0" for k in range(20)}
    assert set(stored(dst / "time")) == {"c/0", "c/1", "c/2"}


@pytest.mark.parametrize("mode", [[], ["name:4"]], ids=["copied", "rechunked"])
def test_strings(run, tmp_path, mode):
    source, dst = write(tmp_path / "src.zarr", 3), tmp_path / "dst.zarr"
    names = np.array(["NGC 7000", "", "größer", "x" * 300, "M 1"], dtype=np.dtypes.StringDType())
    array = zarr.open_group(source).create_array("name", shape=5, chunks=2, dtype=str)
    array[:] = names
    run("rechunk", source, dst, "--chunks", "mag:1,12", *mode)
    copy = zarr.open_array(dst / "name", mode="r")
    assert copy[:].tolist() == names.tolist() and copy.chunks == ((4,) if mode else (2,))
    run("verify", source, dst)


# Arrays that are only copied need not be understood.
OTHER_ARRAYS = {
    "bytes": {"dtype": "S4", "data": np.array([b"a", b"bcd", b"", b"wxyz", b"e"])},
    "struct": {
        "dtype": [("a", "i4"), ("b", "f8")],
        "data": np.array([(k, k / 3) for k in range(5)], [("a", "i4"), ("b", "f8")]),
    },
    "codec": {"dtype": "i4", "data": np.arange(5, dtype="i4"), "compressors": LZ4()},
}


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("only_named", [[], ["--only-named"]], ids=["copied", "dropped"])
@pytest.mark.parametrize("name", OTHER_ARRAYS)
def test_an_array_that_nobody_asked_to_rechunk_need_not_be_understood(run, tmp_path, name, only_named):
    source, dst = write(tmp_path / "src.zarr", 3), tmp_path / "dst.zarr"
    options = dict(OTHER_ARRAYS[name])
    data = options.pop("data")
    zarr.open_group(source).create_array("other", shape=5, chunks=2, **options)[:] = data
    run("rechunk", source, dst, "--chunks", "mag:1,12", *only_named)
    assert zarr.open_array(dst / "mag", mode="r").chunks == (1, 12)
    if only_named:
        assert not (dst / "other").exists()
    else:
        assert (zarr.open_array(dst / "other", mode="r")[:] == data).all()


@pytest.mark.parametrize("location", ["", "flux", "flux/deep"])
def test_verify_sees_a_changed_attribute(run, tmp_path, source, location):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source, dst, "--chunks", "mag:1,12")
    zarr.open_group(dst, path=location, mode="a").attrs["note"] = "changed"
    done = run("verify", source, dst, check=False)
    assert done.returncode == 1
    assert "note" in done.stdout and (location or "root") in done.stdout


def test_info(run, source):
    nodes = {node["path"]: node for node in run("info", source, "--json").json["nodes"]}
    assert nodes.keys() == {*ARRAYS, *GROUPS}
    for name, (shape, chunks, _, names) in ARRAYS.items():
        node = nodes[name]
        assert (node["shape"], node["chunks"], node["missing"]) == (list(shape), list(chunks), 0)
        assert node["dimension_names"] == (list(names) if names else None), name
        assert node["stored_bytes"] == sum(
            (source / name / key).stat().st_size for key in stored(source / name)
        )
        assert node["objects"] == len(stored(source / name))


def test_verify_compares_strings(run, tmp_path):
    source, dst = write(tmp_path / "src.zarr", 3), tmp_path / "dst.zarr"
    names = zarr.open_group(source).create_array("name", shape=5, chunks=5, dtype=str)
    names[:] = np.array(["NGC 7000", "", "M 1", "M 31", "x" * 300], dtype=np.dtypes.StringDType())
    assert run("rechunk", source, dst, "--chunks", "mag:1,12", "--verify", "full", "--json").json["verified"]
    run("verify", source, dst)
    zarr.open_array(dst / "name", mode="r+")[2] = "M 2"
    done = run("verify", source, dst, check=False)
    assert done.returncode == 1 and "name" in done.stdout and "[2]" in done.stdout
