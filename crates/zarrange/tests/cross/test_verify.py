"""verify sees every difference that zarr-python or xarray would show, names it, and sees none where there is none."""

import json
import re
import shutil

import numpy as np
import pytest
import zarr
from compare import differences, load
from stores import elements
from zarr.codecs import BloscCodec, BytesCodec
from zarr.dtype import VariableLengthBytes

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

ATTRIBUTES = {
    "integer": 1,
    "large": 2**70,
    "negative": -(2**65),
    "real": 0.1,
    "zero": 0.0,
    "tiny": 5e-324,
    "nan": float("nan"),
    "text": "größer",
    "digits": "1",
    "yes": True,
    "none": None,
    "list": [1, 2, [3.5]],
    "object": {"b": {"c": 1}, "a": []},
    "empty": {},
}

RECORD = np.dtype([("id", "i4"), ("x", "f8"), ("name", "U3")])
# name: dtype, another value than those of `elements`.
TYPES = {
    "bool": ("?", None),
    "int": ("i4", -7),
    "long": ("u8", 2**64 - 1),
    "half": ("f2", 1e-7),
    "float": ("f4", np.nan),
    "double": ("f8", 5e-324),
    "complex": ("c8", complex(np.nan, 1)),
    "datetime": ("M8[ns]", np.datetime64("NaT", "ns")),
    "timedelta": ("m8[s]", np.timedelta64(1, "s")),
    "unicode": ("U5", "x"),
    "bytes": ("S5", b"\xff"),
    "raw": ("V3", b"xyz"),
    "record": (RECORD, (0, 0.5, "new")),
    "text": (str, "other"),
    "objects": (VariableLengthBytes(), b"other"),
}
VARIABLE = {
    "text": np.array(["", "a", "größer", "日本", "b"], np.dtypes.StringDType()),
    "objects": np.array([b"", b"a", b"\0", b"bc", b"d"], object),
}
SHAPE, CHUNKS = (6, 5), (4, 3)


def data(name: str) -> np.ndarray:
    if name in VARIABLE:
        return np.resize(VARIABLE[name], SHAPE)
    return elements(np.dtype(TYPES[name][0]), SHAPE[0] * SHAPE[1]).reshape(SHAPE)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("verify") / "a.zarr"
    root = zarr.create_group(path, attributes=ATTRIBUTES)
    for name, (dtype, _) in TYPES.items():
        root.create_array(name, shape=SHAPE, chunks=CHUNKS, dtype=dtype, dimension_names=["y", "x"])[...] = (
            data(name)
        )
    inner = root.create_group("group", attributes={"level": 1})
    options = {
        "shape": SHAPE,
        "chunks": CHUNKS,
        "dtype": "f8",
        "fill_value": np.nan,
        "attributes": ATTRIBUTES,
    }
    inner.create_array("values", **options)[:4] = data("double")[:4]
    inner.create_array("sharded", shape=(8, 6), chunks=(2, 2), shards=(4, 6), dtype="i4")[...] = 3
    root.create_group("empty")
    return path


@pytest.fixture
def pair(store, tmp_path):
    other = tmp_path / "b.zarr"
    shutil.copytree(store, other)
    return store, other


def check(run, pair, *named, options=()) -> None:
    """verify exits with 1 and says all that is `named`, in either order; it exits with 0 if nothing is.

    The comparison by zarr-python that all other tests rest on agrees.
    """
    if not options:
        assert bool(differences(*pair)) == bool(named)
    for a, b in [pair, pair[::-1]]:
        done = run("verify", a, b, *options, check=False)
        assert done.returncode == bool(named), done.stdout + done.stderr
        missed = [word for word in named if not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", done.stdout)]
        assert not missed, f"{missed} not in {done.stdout}"


def change(path, **members) -> None:
    """Other members of a `zarr.json`; those that are None are taken out."""
    described = {**load(path / "zarr.json"), **members}
    (path / "zarr.json").write_text(json.dumps({k: v for k, v in described.items() if v is not None}))


# Documents

PROPERTIES = {
    # array: member of its document, another value, what it is called.
    "type": ("int", {"data_type": "uint32"}, "data type"),
    "type-of-same-size": ("int", {"data_type": "float32"}, "data type"),
    "unit": (
        "datetime",
        {"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "us", "scale_factor": 1}}},
        "data type",
    ),
    "multiple": (
        "datetime",
        {"data_type": {"name": "numpy.datetime64", "configuration": {"unit": "ns", "scale_factor": 10}}},
        "data type",
    ),
    "fill": ("int", {"fill_value": 1}, "fill value"),
    "fill-last-bit": ("double", {"fill_value": 5e-324}, "fill value"),
    "fill-sign-of-zero": ("double", {"fill_value": -0.0}, "fill value"),
    "fill-nan": ("float", {"fill_value": "NaN"}, "fill value"),
    "fill-bool": ("bool", {"fill_value": True}, "fill value"),
    "fill-large": ("long", {"fill_value": 2**64 - 1}, "fill value"),
    "fill-text": ("text", {"fill_value": "x"}, "fill value"),
    "fill-unicode": ("unicode", {"fill_value": "x"}, "fill value"),
    "fill-time": ("datetime", {"fill_value": 0}, "fill value"),
    "names": ("int", {"dimension_names": ["y", "z"]}, "dimension names"),
    "names-swapped": ("int", {"dimension_names": ["x", "y"]}, "dimension names"),
    "a-name-less": ("int", {"dimension_names": ["y", None]}, "dimension names"),
    "no-names": ("int", {"dimension_names": None}, "dimension names"),
    "shape": ("int", {"shape": [6, 6]}, "shape"),
}


@pytest.mark.parametrize("case", PROPERTIES)
def test_properties(run, pair, case):
    name, members, called = PROPERTIES[case]
    change(pair[1] / name, **members)
    check(run, pair, name, called)


CHANGES = {
    # attribute: other values.
    "integer": [1.0, True, "1", [1], None, 2],
    "large": [2**70 + 1, float(2**70), 2**70 - 1, str(2**70)],
    "negative": [-(2**65) + 1, float(-(2**65))],
    "real": [np.nextafter(0.1, 1), 0.10000000001, "0.1"],
    "zero": [-0.0, 0, False, None],
    "tiny": [0.0, 1e-323],
    "nan": [None, "NaN", float("inf")],
    "text": ["groesser", "größer ", "gro\u0308ßer"],
    "digits": [1, "1.0"],
    "yes": [1, "true", False],
    "none": [False, 0, "null"],
    "list": [[1, 2], [2, 1, [3.5]], [1, 2, 3.5], [1.0, 2, [3.5]], {"0": 1}],
    "object": [{"b": {"c": 2}, "a": []}, {"b": {"c": 1}}, {"b": {"c": 1}, "a": {}}],
    "empty": [[], None, {"a": None}],
}


@pytest.mark.parametrize("where", ["", "group/values"], ids=["group", "array"])
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_attributes(run, pair, attribute, where):
    for other in CHANGES[attribute]:
        change(pair[1] / where, attributes={**ATTRIBUTES, attribute: other})
        check(run, pair, attribute, *[where][: bool(where)])
    change(pair[1] / where, attributes={k: v for k, v in ATTRIBUTES.items() if k != attribute})
    check(run, pair, attribute)


def test_an_attribute_more(run, pair):
    change(pair[1] / "group", attributes={"level": 1, "more": None})
    check(run, pair, "group", "more")


# Members


def remove(path) -> None:
    shutil.rmtree(path)


def group_in_place(path) -> None:
    shutil.rmtree(path)
    zarr.create_group(path)


MEMBERS = {
    "array-missing": ("int", remove),
    "text-missing": ("text", remove),
    "array-in-group-missing": ("group/values", remove),
    "empty-group-missing": ("empty", remove),
    "group-for-array": ("int", group_in_place),
    "array-more": ("group/new", lambda path: zarr.create_array(path, data=np.zeros(3))),
    "group-more": ("empty/new", zarr.create_group),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_members(run, pair, case):
    name, mutate = MEMBERS[case]
    mutate(pair[1] / name)
    check(run, pair, name)


# Values


@pytest.mark.parametrize("at", [(0, 0), (3, 4), (5, 2)], ids=str)
@pytest.mark.parametrize("name", TYPES)
def test_one_element(run, pair, name, at):
    array = zarr.open_array(pair[1] / name, mode="r+")
    changed = data(name)
    other = not changed[at] if name == "bool" else TYPES[name][1]
    changed[at] = np.array(other, changed.dtype) if name not in VARIABLE else other
    array[...] = changed
    check(run, pair, name, str(list(at)))


@pytest.mark.parametrize("field", RECORD.names)
def test_one_field_of_a_record(run, pair, field):
    changed = data("record")
    changed[field][5, 4] = np.array(1).astype(RECORD[field])
    zarr.open_array(pair[1] / "record", mode="r+")[...] = changed
    check(run, pair, "record", "[5, 4]")


def test_one_element_of_a_shard(run, pair):
    zarr.open_array(pair[1] / "group/sharded", mode="r+")[7, 5] = 4
    check(run, pair, "group/sharded", "[7, 5]")


def test_the_sign_of_zero(run, tmp_path):
    for name, zero in [("a", 0.0), ("b", -0.0)]:
        zarr.create_array(tmp_path / f"{name}.zarr", data=np.array([1, zero, 2], "f4"), fill_value=1)
    check(run, (tmp_path / "a.zarr", tmp_path / "b.zarr"), "[1]")


def test_a_chunk_that_is_not_stored(run, pair):
    (pair[1] / "int/c/1/1").unlink()
    check(run, pair, "int", "[4, 3]")


def test_the_bits_of_nan(run, pair, tmp_path):
    for name, bits in [("a", 0x7FF8000000000000), ("b", 0xFFF8000000000001)]:
        array = np.array([bits, 0], "u8").view("f8")
        zarr.create_array(tmp_path / f"{name}.nan", data=array)
    nans = (tmp_path / "a.nan", tmp_path / "b.nan")
    check(run, nans)
    check(run, nans, "[0]", options=["--nan-payloads"])


# No difference


def test_nothing_differs(run, pair):
    check(run, pair)


def test_no_order_matters(run, pair):
    def turned(value):
        if isinstance(value, dict):
            return {k: turned(value[k]) for k in reversed(value)}
        return value

    for path in pair[1].rglob("zarr.json"):
        path.write_text(json.dumps(turned(load(path)), indent=3, ensure_ascii=False), encoding="utf-8")
    check(run, pair)


def test_how_it_is_stored_does_not_matter(run, pair):
    for name in ["int", "double", "datetime", "unicode", "text", "objects", "group/values"]:
        array = zarr.open_array(pair[0] / name, mode="r")
        options = {"serializer": BytesCodec(endian="big")} if name in ["int", "double", "datetime"] else {}
        zarr.create_array(
            pair[1] / name,
            shape=SHAPE,
            chunks=(1, 4),
            dtype=array.metadata.dtype,
            fill_value=array.fill_value,
            compressors=BloscCodec(typesize=4),
            chunk_key_encoding={"name": "v2", "separator": "."},
            dimension_names=array.metadata.dimension_names,
            attributes=dict(array.attrs),
            overwrite=True,
            config={"write_empty_chunks": True},
            **options,
        )[...] = array[...]
    zarr.consolidate_metadata(pair[1])
    check(run, pair)


def test_a_chunk_of_fill_value_is_one_that_is_not_stored(run, pair):
    array = zarr.open_array(pair[1] / "group/values", mode="r+")
    array.with_config({"write_empty_chunks": True})[4:] = np.nan
    assert (pair[1] / "group/values/c/1/1").exists() and not (pair[0] / "group/values/c/1/1").exists()
    check(run, pair)


@pytest.mark.parametrize("mode", [[], ["--chunks", "2,2"]], ids=["copied", "rechunked"])
def test_a_copy_does_not_differ(run, store, tmp_path, mode):
    run("rechunk", store, tmp_path / "b.zarr", *mode)
    check(run, (store, tmp_path / "b.zarr"))


# Between versions

V2 = {"dtype": "i2", "fill_value": -1, "attributes": {"_ARRAY_DIMENSIONS": ["y", "x"], "units": "K"}}


@pytest.mark.parametrize(
    "members, called",
    [
        ({}, None),
        ({"dimension_names": ["y", "z"]}, "dimension names"),
        ({"dimension_names": None}, "dimension names"),
        ({"fill_value": 0}, "fill value"),
        ({"attributes": {"units": "K", "_FillValue": -2}}, "_FillValue"),
        ({"attributes": {"units": "K"}}, "_FillValue"),
        ({"attributes": {"units": "C", "_FillValue": -1}}, "units"),
    ],
    ids=str,
)
def test_v2_and_v3(run, tmp_path, members, called):
    pair = tmp_path / "a.zarr", tmp_path / "b.zarr"
    zarr.create_array(pair[0], shape=SHAPE, zarr_format=2, **V2)[...] = data("int").astype("i2")
    run("rechunk", *pair)
    change(pair[1], **members)
    check(run, pair, *[called][: called is not None])
