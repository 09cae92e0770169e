"""`zarrange lightcurve rechunk` and `sync`: a copy by object holds what the store by epoch holds, as xarray reads both."""

import json
import os

import numpy as np
import pytest
import zarr
from compare import open_xarray

OBJECTS, NIGHTS = 30, 8
BANDS = ["g", "r"]


def table(path, nights, objects=range(OBJECTS), bands=BANDS, offset=0.0):
    """Photometry of some nights."""
    lines = ["object,epoch,band,flux,flux_err"]
    for night in nights:
        for o in objects:
            lines += [
                f"I{o},n{night},{band},{o + night / 100 + k / 10 + offset},0.5"
                for k, band in enumerate(bands)
            ]
    path.write_text("\n".join(lines) + "\n")
    return path


def nights(path, numbers):
    path.write_text(
        "night,time,sky\n" + "".join(f"n{k},{k}.5,{'dark' if k % 2 else 'grey'}\n" for k in numbers)
    )
    return path


@pytest.fixture(params=["flux", "labelled"])
def store(request, run, tmp_path):
    (tmp_path / "objects.csv").write_text("id,ra,dec\n" + "".join(f"I{k},{k},-{k}\n" for k in range(OBJECTS)))
    (tmp_path / "bands.csv").write_text("band\n" + "\n".join(BANDS) + "\n")
    path = tmp_path / "epochs.zarr"
    tables = ["--objects", tmp_path / "objects.csv", "--measurements", tmp_path / "bands.csv"]
    run("lightcurve", "create", path, *tables, "--epochs", nights(tmp_path / "nights.csv", range(NIGHTS)))
    if request.param == "labelled":
        run(
            "lightcurve",
            "create",
            path,
            *tables,
            "--epochs",
            tmp_path / "nights.csv",
            "--preset",
            "labelled",
            "--overwrite",
        )
    fill(run, path, tmp_path, range(5))
    return path


def fill(run, path, tmp_path, nights, *options, **which):
    catalogue = table(tmp_path / "catalogue.csv", nights, **which)
    columns = []
    if "lightcurves" in zarr.open_group(path):
        columns = ["--columns", "lightcurves[value]=flux", "lightcurves[uncertainty]=flux_err"]
    run("lightcurve", "fill", path, catalogue, *columns, *options)


def sync(run, copy, *options):
    return json.loads(run("lightcurve", "sync", copy, *options, "--json").stdout)


def assert_same(store, copy):
    """The same data, labels, side variables and attributes, except what the copy says of itself; the same record; chunks by object."""
    here, there = open_xarray(copy).load(), open_xarray(store).load()
    assert here.attrs.pop("light_curves_source") == str(store)
    # How it is cut.
    here.attrs.pop("layout"), there.attrs.pop("layout")
    assert here.identical(there)
    assert open_xarray(copy, group="fills").load().identical(open_xarray(store, group="fills").load())
    zarr.open_group(copy, use_consolidated=False)


LAYOUTS = ["object-optimized", "object-optimized:4", "time-blocks:3", "balanced"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_copy_follows_its_source(run, tmp_path, store, layout):
    copy = tmp_path / "objects.zarr"
    run("lightcurve", "rechunk", store, copy, "--layout", layout)
    assert open_xarray(copy).attrs["layout"] == layout
    assert_same(store, copy)
    done = sync(run, copy)
    assert done == {**done, "epochs": [], "new_epochs": 0, "arrays": [], "bytes_written": 0}
    # A night in one band, of some objects.
    fill(run, store, tmp_path, [5], objects=range(7), bands=["r"])
    assert sync(run, copy)["epochs"] == [5]
    assert_same(store, copy)
    # Nights beyond the end, and one that is replaced.
    run("lightcurve", "append", store, "--epochs", nights(tmp_path / "more.csv", range(NIGHTS, NIGHTS + 3)))
    fill(run, store, tmp_path, [2], "--replace", offset=100)
    fill(run, store, tmp_path, [NIGHTS + 1])
    done = sync(run, copy)
    assert (done["epochs"], done["new_epochs"]) == ([2, NIGHTS + 1], 3)
    assert sorted(done["arrays"]) == ["epoch", "sky", "time"]
    assert_same(store, copy)
    # A side variable is changed by others.
    group = zarr.open_group(store, mode="r+")
    group["ra"][3] = 12.5
    assert sync(run, copy)["arrays"] == ["ra"]
    assert_same(store, copy)


def test_blocks_of_time_that_did_not_change_stay(run, tmp_path, store):
    copy = tmp_path / "objects.zarr"
    run("lightcurve", "rechunk", store, copy, "--layout", "object-optimized:4")
    name = next(name for name in ["flux", "lightcurves"] if (copy / name).exists())

    def files():
        return {path: path.stat().st_ino for path in (copy / name / "c").rglob("*") if path.is_file()}

    before = files()
    fill(run, store, tmp_path, [5])
    sync(run, copy)
    changed = [path for path, inode in files().items() if before.get(path) != inode]
    axis = zarr.open_group(copy)[name].metadata.dimension_names.index("epoch")
    assert changed and {path.relative_to(copy / name / "c").parts[axis] for path in changed} == {"1"}


def test_how_far_it_is_behind(run, tmp_path, store):
    copy = tmp_path / "objects.zarr"
    run("lightcurve", "rechunk", store, copy, "--layout", "object-optimized:4")
    info = json.loads(run("lightcurve", "info", copy, "--json").stdout)
    assert info["copy"] == {"of": str(store), "behind": {"epochs": [], "new": 0, "since": None}}
    assert (info["filled"], info["partly_filled"], info["empty_between"]) == (5, [], [])
    for layout in info["layouts"].values():
        axis = [d["name"] for d in info["dimensions"]].index("epoch")
        assert layout["chunks"][axis] == 4
    fill(run, store, tmp_path, [6], bands=["g"])
    info = json.loads(run("lightcurve", "info", store, "--json").stdout)
    assert (info["filled"], info["partly_filled"], info["empty_between"]) == (5, [6], [5])
    assert "1 partly (6)" in run("lightcurve", "info", store).stdout
    fill(run, store, tmp_path, [5, 6])
    info = json.loads(run("lightcurve", "info", copy, "--json").stdout)
    assert info["copy"]["behind"]["epochs"] == [5, 6]
    assert info["copy"]["behind"]["since"] == np.nanmin(zarr.open_group(store)["fills/time"][5:7])
    assert "2 epochs behind" in run("lightcurve", "info", copy).stdout
    os.rename(store, tmp_path / "moved.zarr")
    assert "how far behind is not known" in run("lightcurve", "info", copy).stdout
    done = run("lightcurve", "sync", copy, check=False)
    assert done.returncode == 1 and "epochs.zarr" in done.stderr
    assert sync(run, copy, "--source", tmp_path / "moved.zarr")["epochs"] == [5, 6]
    assert json.loads(run("lightcurve", "info", store.parent / "moved.zarr", "--json").stdout)["copy"] is None


def test_what_cannot_be(run, tmp_path, store):
    copy = tmp_path / "objects.zarr"
    run("lightcurve", "rechunk", store, copy, "--layout", "object-optimized:4")

    def check(expected, *args):
        done = run("lightcurve", *args, check=False)
        assert done.returncode in [1, 2] and expected in done.stderr, done

    check("does not say of what store it is a copy", "sync", store)
    with pytest.raises(pytest.fail.Exception, match=f"is a copy of {store}: fill that"):
        fill(run, copy, tmp_path, [1])
    check("exists", "rechunk", store, copy)
    run("lightcurve", "create", tmp_path / "other.zarr", "--objects", 3, "--epochs", NIGHTS)
    check("no copy of", "sync", copy, "--source", tmp_path / "other.zarr")
    check("time-blocks:30", "rechunk", store, tmp_path / "x.zarr", "--layout", "object-optimized:0")
    run(
        "lightcurve", "rechunk", store, copy, "--overwrite", "--layout", "epoch-optimized", "--codecs", "none"
    )
    assert_same(store, copy)
