"""xarray and anndata open the same before and after: what their conventions say is moved to where Zarr v3 has it."""

import anndata
import numpy as np
import pytest
import xarray as xr
import zarr
from compare import DIMENSIONS, attributes, differences, open_xarray, xarray_differences
from datasets import CONSOLIDATED, DATASETS, KINDS
from stores import document, write_array, write_group
from support import metadata, rechunk_all, tree
from xarray.backends.zarr import FillValueCoder

pytestmark = [
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
    # anndata is loud.
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
]

FORMATS = [2, 3]
MODES = {"copied": lambda src: [], "rechunked": rechunk_all}


def check(run, src, dst, options=()) -> None:
    """Rechunks; zarr-python and xarray see no difference, and verify agrees."""
    run("rechunk", src, dst, *options)
    found = [*differences(src, dst), *xarray_differences(src, dst)]
    assert not found, "\n".join(found)
    assert is_consolidated(dst) == is_consolidated(src)
    assert not [key for key in tree(dst) if key.rsplit("/", 1)[-1].startswith(".z")]
    run("verify", src, dst)


def is_consolidated(path) -> bool:
    if (path / "zarr.json").exists():
        return bool(metadata(path).get("consolidated_metadata"))
    return (path / ".zmetadata").exists()


# xarray


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("consolidated", CONSOLIDATED)
@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("name", DATASETS)
def test_xarray(run, tmp_path, datasets, name, zarr_format, consolidated, mode):
    src = datasets[zarr_format] / f"{name}-{consolidated}.zarr"
    check(run, src, tmp_path / "dst.zarr", MODES[mode](src))


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_light_curves_by_object(run, tmp_path, datasets, zarr_format):
    src, dst = datasets[zarr_format] / "light_curves-consolidated.zarr", tmp_path / "dst.zarr"
    check(run, src, dst, ["--chunks", "lightcurves:15,-1,-1,-1"])
    assert zarr.open_array(dst / "lightcurves").chunks == (15, 8, 2, 12)
    curve = open_xarray(dst).lightcurves.sel(object="I42", measurement="ch2_sci-mag_3", value="value")
    assert curve.dims == ("epoch",) and curve.size == 12
    # Nothing else was cut into other chunks.
    before, after = (
        {name: array.chunks for name, array in zarr.open_group(path).arrays()} for path in [src, dst]
    )
    assert {name for name in before if before[name] != after[name]} == {"lightcurves"}


def test_what_xarray_wrote_to_v2_through_zarr_3(run, tmp_path):
    src = tmp_path / "src.zarr"
    for name in ["text", "missing"]:
        dataset, encoding = DATASETS[name]()
        dataset.to_zarr(src, mode="w", encoding=encoding, zarr_format=2, consolidated=True)
        check(run, src, tmp_path / f"{name}.zarr")


def test_a_dataset_in_each_group(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    for group in ["", "coarse", "coarse/deep"]:
        dataset, encoding = DATASETS["missing"]()
        dataset.to_zarr(src, group=group, mode="a", encoding=encoding, zarr_format=2, consolidated=False)
    zarr.consolidate_metadata(src, zarr_format=2)
    run("rechunk", src, dst)
    for group in ["", "coarse", "coarse/deep"]:
        assert not xarray_differences(src, dst, group=group)
    assert not differences(src, dst)


# The rules, one by one. Each array is of 4 elements, and stores what is given.

MARKS = {
    # What xarray wrote into `fill_value`: the mark that is expected.
    "int": ("<i2", "-32767", -32767),
    "int-big": (">i4", "-1", -1),
    "lowest": ("<i8", str(-(2**63)), -(2**63)),
    "highest": ("<u8", str(2**64 - 1), 2**64 - 1),
    "int-quoted": ("<i4", '"7"', 7),
    "int-as-float": ("<i4", "-9999.0", -9999),
    "bool": ("|b1", "false", False),
    "bool-as-number": ("|b1", "1", True),
    "float": ("<f4", "0.1", FillValueCoder.encode(np.float32(0.1), np.dtype("f4"))),
    "float-nan": ("<f8", '"NaN"', "AAAAAAAA+H8="),
    "float-bare-nan": ("<f2", "NaN", "AAAAAAAA+H8="),
    "float-big": (">f8", "-Infinity", "AAAAAAAA8P8="),
    "complex": ("<c8", '[1.5, "NaN"]', ["AAAAAAAA+D8=", "AAAAAAAA+H8="]),
    # These it cannot read from there, and no store could be opened that had them.
    "datetime": ("<M8[ns]", "5", None),
    "timedelta": (">m8[s]", '"NaT"', None),
    "unicode": ("<U3", '"ab"', None),
    "bytes": ("|S3", '"YWI="', None),
    "raw": ("|V2", '"YWI="', None),
    "text": ("|O", '""', None),
    # Nothing marks.
    "null": ("<f4", "null", None),
    "null-int": ("<i4", "null", None),
}


@pytest.mark.parametrize("case", MARKS.values(), ids=MARKS.keys())
def test_the_mark_of_missing_values(run, tmp_path, case):
    dtype, fill, mark = case
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src)
    convention = document(units="K", **{DIMENSIONS: ["x"]})
    filters = [{"id": "vlen-utf8"}] if dtype == "|O" else []
    write_array(src / "x", four(dtype), fill=fill, filters=filters, attributes=convention)
    run("rechunk", src, dst)
    expected = {"units": "K"} if mark is None else {"units": "K", "_FillValue": mark}
    assert attributes(dst / "x") == expected
    assert metadata(dst / "x")["dimension_names"] == ["x"]
    assert not differences(src, dst)
    if mark is not None or fill == "null":
        assert not xarray_differences(src, dst)
    else:
        # What cannot be marked is read as it is stored.
        open_xarray(dst, consolidated=False)
    run("verify", src, dst)


def four(dtype: str) -> np.ndarray:
    if dtype == "|O":
        return np.array(["", "a", "größer", ""], object)
    return np.zeros(4, dtype) if dtype[1] in "SUV" else np.arange(4).astype("i8").astype(dtype)


def test_a_mark_in_the_attributes_alone(run, tmp_path):
    # As kerchunk and the netCDF library leave them.
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src)
    for name, dtype, mark in [("float", "<f4", 2.0), ("int", "<i2", 2), ("big", ">f8", -1e20)]:
        marked = document(_FillValue=mark, **{DIMENSIONS: ["x"]})
        write_array(src / name, np.arange(4).astype(dtype), fill="null", attributes=marked)
    check(run, src, dst)


UNCONVENTIONAL = {
    "none": {"units": "K"},
    "too-few": {DIMENSIONS: [], "a": 1},
    "too-many": {DIMENSIONS: ["x", "y"], "a": 1},
    "text": {DIMENSIONS: "x"},
    "numbers": {DIMENSIONS: [1]},
    "mark": {"_FillValue": 7},
}


@pytest.mark.parametrize("attrs", UNCONVENTIONAL.values(), ids=UNCONVENTIONAL.keys())
def test_arrays_outside_the_convention_keep_their_attributes(run, tmp_path, attrs):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_array(src, np.arange(4, dtype="<i4"), fill="3", attributes=document(**attrs))
    run("rechunk", src, dst)
    assert attributes(dst) == attrs
    assert metadata(dst).get("dimension_names") is None
    assert not differences(src, dst)


@pytest.mark.parametrize("fill", ["null", "3"])
def test_a_scalar_has_no_names_but_the_convention(run, tmp_path, fill):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src)
    write_array(src / "x", np.array(5, dtype="<i4"), fill=fill, attributes=document(**{DIMENSIONS: []}))
    check(run, src, dst)
    assert attributes(dst / "x") == ({} if fill == "null" else {"_FillValue": 3})


def test_an_array_of_v3_keeps_all_attributes(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    attrs = {DIMENSIONS: ["x"], "_FillValue": "AAAAAAAA+H8="}
    zarr.create_array(src, data=np.arange(4.0), dimension_names=["x"], attributes=attrs, fill_value=1.0)
    run("rechunk", src, dst)
    assert attributes(dst) == attrs


# anndata


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_anndata(run, tmp_path, datasets, kind, zarr_format, mode):
    src, dst = datasets[zarr_format] / f"anndata-{kind}.zarr", tmp_path / "dst.zarr"
    # Its import warns of marks of its own.
    from anndata.tests.helpers import assert_equal

    run("rechunk", src, dst, *MODES[mode](src))
    assert_equal(anndata.read_zarr(dst), anndata.read_zarr(src), exact=True)
    assert not differences(src, dst)
    run("verify", src, dst)


# The judge itself


def test_the_comparison_sees_what_xarray_shows(tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    dataset = xr.Dataset({"a": ("x", np.arange(4, dtype="f4"), {"units": "K"})})
    dataset.to_zarr(src, zarr_format=2)
    changed = {
        "values": dataset + 1,
        "attributes": dataset.assign_attrs(title="x"),
        "variables": dataset.assign(b=1),
        "encodings": dataset,
    }
    for what, other in changed.items():
        encoding = {"a": {"_FillValue": 7.0}} if what == "encodings" else {}
        other.to_zarr(dst, mode="w", zarr_format=3, encoding=encoding)
        assert xarray_differences(src, dst), what
    dataset.to_zarr(dst, mode="w", zarr_format=3, encoding={"a": {"_FillValue": np.nan}})
    assert not xarray_differences(src, dst)
