"""`zarrange lightcurve create` and `info`: stores that zarr-python and xarray read without this project."""

import json

import numpy as np
import pytest
import zarr
from catalogues import WITH_UNITS, WRITERS
from compare import open_xarray

OBJECTS = [("I1", 10.5, "star"), ("I2", 359.9, "a b"), ("größe", -0.25, "star")]
PRESETS = {
    "flux": (["flux", "flux_err"], ["object", "epoch", "measurement"]),
    "labelled": (["lightcurves"], ["object", "measurement", "value", "epoch"]),
}


@pytest.fixture
def tables(tmp_path):
    """A table for each dimension: labels, and side variables of several types."""
    rows = "".join(f"{name},{ra},{kind}\n" for name, ra, kind in OBJECTS)
    (tmp_path / "objects.csv").write_text("key,ra,kind\n" + rows, encoding="utf-8")
    (tmp_path / "epochs.csv").write_text(
        "night,time,seeing\n1,59000.5,1.1\n2,59001.25,\n3,59002.0,0.7\n4,59003.0,2\n"
    )
    (tmp_path / "measurements.csv").write_text("name,unit\nmag_auto,mag\nmag_3,mag\n")
    return [f"--{name}={tmp_path}/{name}.csv" for name in ["objects", "epochs", "measurements"]]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("layout", ["epoch-optimized", "object-optimized", "balanced", "time-blocks:2"])
def test_a_new_store(run, tmp_path, tables, preset, layout):
    store = tmp_path / "store"
    run("lightcurve", "create", store, "--preset", preset, *tables, "--layout", layout)
    (values, dimensions), sizes = PRESETS[preset], {"object": 3, "epoch": 4, "measurement": 2, "value": 2}
    dataset = open_xarray(store)
    assert set(dataset.data_vars) == set(values)
    for name in values:
        assert dataset[name].dims == tuple(dimensions)
        assert dataset[name].shape == tuple(sizes[dimension] for dimension in dimensions)
        assert dataset[name].dtype == np.float32 and bool(dataset[name].isnull().all())
    assert dataset["object"].values.tolist() == [name for name, _, _ in OBJECTS]
    assert dataset["epoch"].values.tolist() == [1, 2, 3, 4]
    assert dataset["ra"].values.tolist() == [ra for _, ra, _ in OBJECTS]
    assert dataset["kind"].values.tolist() == [kind for _, _, kind in OBJECTS]
    np.testing.assert_array_equal(dataset["seeing"], [1.1, np.nan, 0.7, 2])
    # What belongs to a selection comes with it.
    one = dataset[values[0]].sel(object="I2", epoch=3, measurement="mag_3")
    assert (one["ra"].item(), one["time"].item(), one["unit"].item()) == (359.9, 59002.0, "mag")
    root = zarr.open_group(store, mode="r")
    if layout == "epoch-optimized":
        chunk = [1 if dimension == "epoch" else sizes[dimension] for dimension in dimensions]
        assert list(root[values[0]].chunks) == chunk
    # What was filled is a dataset of its own.
    fills = open_xarray(store, group="fills")
    assert fills["objects"].dims == ("epoch", "measurement") and not fills["objects"].values.any()
    assert np.isnat(fills["time"].values).all()
    assert set(fills["run"].values.ravel().tolist()) == {""}
    seen = json.loads(run("lightcurve", "info", store, "--json").stdout)
    assert [d["name"] for d in seen["dimensions"]] == dimensions
    assert [d["size"] for d in seen["dimensions"]] == [sizes[dimension] for dimension in dimensions]
    assert {d["name"]: d["side"] for d in seen["dimensions"]}["object"] == ["kind", "ra"]
    assert (seen["values"], seen["filled"], seen["partly_filled"], seen["others"]) == (values, 0, [], [])
    assert "0 of 4 epochs are filled" in run("lightcurve", "info", store).stdout


def test_a_store_of_somebody_else(run, tmp_path):
    """Any group with an array over objects and epochs is one; what is no part of it is named."""
    root = zarr.create_group(tmp_path / "store")
    root.create_array("mag", shape=(4, 3), dtype="f8", dimension_names=["object", "epoch"])
    root.create_array("object", data=np.array(["a", "b", "c", "d"]), dimension_names=["object"])
    root.create_array("ra", data=np.arange(4.0), dimension_names=["object"])
    root.create_array("table", data=np.arange(6.0).reshape(2, 3), dimension_names=["row", "epoch"])
    root.create_array("bare", data=np.arange(6.0))
    seen = json.loads(run("lightcurve", "info", tmp_path / "store", "--json").stdout)
    assert seen["dimensions"] == [
        {"name": "object", "size": 4, "labels": "object", "side": ["ra"]},
        {"name": "epoch", "size": 3, "labels": None, "side": []},
    ]
    assert {other["array"] for other in seen["others"]} == {"bare", "table"}
    assert (seen["values"], seen["filled"]) == (["mag"], None)


WRONG = {
    "twice": ("key\na\na\n", 'label "a" is there twice, as number 0 and 1'),
    "empty": ("key,ra\na,1\n,2\n", "label 1 is empty"),
    "ragged": ("key,ra\na,1\nb\n", "objects.csv"),
    "nothing": ("key\n", "objects.csv"),
    "taken": ("key,flux\na,1\n", 'no variable can be called "flux" here'),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_table(run, tmp_path, case):
    text, expected = WRONG[case]
    (tmp_path / "objects.csv").write_text(text)
    args = ["--objects", tmp_path / "objects.csv", "--epochs", 2]
    done = run("lightcurve", "create", tmp_path / "store", *args, check=False)
    assert done.returncode in [1, 2] and expected in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["objects.csv"]


USAGE = {
    "layout": (["--layout", "fast"], "layout fast: use epoch-optimized, object-optimized"),
    "mix": (["--for", "band=1"], 'there is no dimension "band"'),
    "codecs": (["--codecs", "keep"], "no codecs to keep: choose some, such as zstd:3"),
    "size": (["--measurements", 2**63], "elements are too many"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage(run, tmp_path, case):
    args, expected = USAGE[case]
    sizes = ["--objects", 9, "--epochs", 9]
    done = run("lightcurve", "create", tmp_path / "store", *sizes, *args, check=False)
    assert done.returncode == 2 and expected in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", ["epoch-optimized", "object-optimized", "balanced", "time-blocks:3"])
@pytest.mark.parametrize("sizes", [(0, 0, 0), (0, 5, 1), (1, 1, 1), (10**9, 10**5, 4)])
def test_any_size(run, tmp_path, sizes, layout):
    """Nothing, and more than anybody has."""
    names = ["--objects", "--epochs", "--measurements"]
    args = [arg for pair in zip(names, sizes, strict=True) for arg in pair]
    run("lightcurve", "create", tmp_path / "store", *args, "--layout", layout)
    assert zarr.open_group(tmp_path / "store", mode="r")["flux"].shape == sizes


def test_labels_stay_as_they_are_written(run, tmp_path):
    """Names of digits are no numbers, whatever they look like."""
    rows = [("0012", "007", "1e5"), ("5.50", "010", ""), ("nan", "011", "2")]
    (tmp_path / "t.csv").write_text("id,field,mag\n" + "".join(",".join(row) + "\n" for row in rows))
    run("lightcurve", "create", tmp_path / "store", "--objects", tmp_path / "t.csv", "--epochs", 1)
    dataset = open_xarray(tmp_path / "store")
    assert dataset["object"].values.tolist() == ["0012", "5.50", "nan"]
    assert dataset["field"].values.tolist() == ["007", "010", "011"]
    np.testing.assert_array_equal(dataset["mag"], [1e5, np.nan, 2])


def test_a_store_that_is_there(run, tmp_path):
    args = ["lightcurve", "create", tmp_path / "store", "--objects", 2, "--epochs", 3]
    run(*args)
    before = open_xarray(tmp_path / "store")
    done = run(*args[:-1], 5, check=False)
    assert done.returncode == 1 and "--overwrite" in done.stderr
    assert open_xarray(tmp_path / "store").equals(before)
    run(*args[:-1], 5, "--overwrite")
    assert open_xarray(tmp_path / "store").sizes["epoch"] == 5


def test_times_and_units_are_told(run, tmp_path, tables):
    """In words of the IVOA and CF; times stay numbers for xarray."""
    store = tmp_path / "store"
    words = [
        "--timescale",
        "TDB",
        "--refposition",
        "BARYCENTER",
        "--timeorigin",
        "2400000.5",
        "--unit",
        "nJy",
    ]
    run("lightcurve", "create", store, *tables, *words)
    dataset = open_xarray(store)
    said = {"timescale": "TDB", "refposition": "BARYCENTER", "timeorigin": 2400000.5, "units": "d"}
    assert dataset["time"].attrs == said and dataset["time"].dtype == np.float64
    assert dataset["flux"].attrs["units"] == dataset["flux_err"].attrs["units"] == "nJy"
    without = run(
        "lightcurve", "create", tmp_path / "s", "--objects=2", "--epochs=2", "--timescale=UTC", check=False
    )
    assert without.returncode == 1 and "column time" in without.stderr


def test_a_store_of_a_newer_version_is_refused(run, tmp_path, tables):
    store = tmp_path / "store"
    run("lightcurve", "create", store, *tables)
    group = zarr.open_group(store, mode="r+")
    assert group.attrs["light_curves_version"] == 1
    group.attrs["light_curves_version"] = 2
    for command in [["info", store], ["get", store, "--all"], ["fill", store, tmp_path / "objects.csv"]]:
        done = run("lightcurve", *command, check=False)
        assert done.returncode == 1 and "newer version than 1" in done.stderr, done


# A table of objects has no lists.
@pytest.mark.parametrize("kind", [kind for kind in WRITERS if " of " not in kind])
def test_tables_of_every_format(run, tmp_path, kind):
    """Labels and side variables come from any of them, with their units."""
    columns = {
        "object": np.array(["I1", "I2", "I3"]),
        "ra": np.array([10.5, 359.9, 0.25]),
        "n": np.array([3, 1, 2]),
    }
    WRITERS[kind](tmp_path / "objects", columns, {"ra": "deg"})
    run("lightcurve", "create", tmp_path / "store", "--objects", tmp_path / "objects", "--epochs", "2")
    dataset = open_xarray(tmp_path / "store")
    assert dataset["object"].values.tolist() == ["I1", "I2", "I3"]
    assert dataset["ra"].values.tolist() == [10.5, 359.9, 0.25] and dataset["n"].values.tolist() == [3, 1, 2]
    assert dataset["ra"].attrs == ({"units": "deg"} if kind in WITH_UNITS else {})
