"""`zarrange lightcurve append`: a store with more epochs, as xarray reads it."""

import json

import numpy as np
import pytest
import zarr
from compare import open_xarray


@pytest.fixture
def store(run, tmp_path):
    """A store of four objects at three nights, in blocks of two nights, filled; with an array that is none of its parts."""
    (tmp_path / "nights.csv").write_text(
        "night,time,seeing,sky\nn1,1.5,0.8,dark\nn2,2.5,0.9,grey\nn3,3.5,1.1,dark\n"
    )
    path = tmp_path / "store"
    create = ["lightcurve", "create", path, "--objects", 4, "--epochs", tmp_path / "nights.csv"]
    run(*create, "--layout", "time-blocks:2")
    (tmp_path / "one.csv").write_text(
        "object,epoch,flux,flux_err\n"
        + "".join(f"{o},n{e},{o * 10 + e},0.5\n" for o in range(4) for e in (1, 2, 3))
    )
    run("lightcurve", "fill", path, tmp_path / "one.csv")
    group = zarr.open_group(path)
    psf = group.create_array(
        "psf", shape=(3, 2), chunks=(3, 2), dtype="f4", fill_value=0, dimension_names=("epoch", "moment")
    )
    psf[...] = np.arange(6).reshape(3, 2) + 1
    zarr.consolidate_metadata(path)
    return path


def test_nights_are_added_and_filled(run, tmp_path, store):
    (tmp_path / "more.csv").write_text("night,sky,time\nn4,grey,4.5\nn5,,5.5\n")
    before = open_xarray(store).load()
    done = run("lightcurve", "append", store, "--epochs", tmp_path / "more.csv", "--json")
    assert json.loads(done.stdout) == {"first": 3, "epochs": 5, "unset": ["seeing"]}
    assert "seeing has no value" in done.stderr
    after = open_xarray(store).load()
    assert after.sizes["epoch"] == 5
    assert after.isel(epoch=slice(3)).drop_vars("psf").identical(before.drop_vars("psf"))
    assert list(after["epoch"].values) == ["n1", "n2", "n3", "n4", "n5"]
    assert list(after["sky"].values) == ["dark", "grey", "dark", "grey", ""]
    np.testing.assert_array_equal(after["time"], [1.5, 2.5, 3.5, 4.5, 5.5])
    np.testing.assert_array_equal(after["seeing"], [0.8, 0.9, 1.1, np.nan, np.nan])
    np.testing.assert_array_equal(after["psf"], [[1, 2], [3, 4], [5, 6], [0, 0], [0, 0]])
    assert np.isnan(after["flux"].values[:, 3:]).all()
    # The new nights are filled beside the old one in their block, and recorded.
    (tmp_path / "two.csv").write_text(
        "object,epoch,flux,flux_err\n" + "".join(f"{o},n4,{o},0.1\n" for o in range(3))
    )
    run("lightcurve", "fill", store, tmp_path / "two.csv")
    filled = open_xarray(store)
    np.testing.assert_array_equal(filled["flux"].values[:, 3, 0], [0, 1, 2, np.nan])
    np.testing.assert_array_equal(filled["flux"].values[:, :3], before["flux"].values)
    fills = open_xarray(store, group="fills")
    np.testing.assert_array_equal(fills["objects"].values[:, 0], [4, 4, 4, 3, 0])
    # Who opens it without the consolidated metadata sees the same.
    group = zarr.open_group(store, use_consolidated=False)
    assert {name: array.shape for name, array in group.arrays()} == {
        name: array.shape for name, array in zarr.open_group(store).arrays()
    }


def test_what_does_not_fit(run, tmp_path, store):
    before = open_xarray(store).load()

    def check(table, expected):
        (tmp_path / "table.csv").write_text(table)
        done = run("lightcurve", "append", store, "--epochs", tmp_path / "table.csv", check=False)
        assert done.returncode == 1 and expected in done.stderr, done
        assert open_xarray(store).load().identical(before)

    check("night\nn4\nn2\n", '"n2" is there twice')
    check("night,moon\nn4,0.5\n", 'no side variable "moon": it has')
    check("night,time\nn4,late\n", "cannot have")
    done = run("lightcurve", "append", store, "--epochs", "2", check=False)
    assert done.returncode == 1 and "has labels: give those of the new ones" in done.stderr, done


def test_a_store_of_numbers(run, tmp_path):
    path = tmp_path / "store"
    run("lightcurve", "create", path, "--preset", "labelled", "--objects", 4, "--epochs", 3)
    run("lightcurve", "append", path, "--epochs", 2)
    dataset = open_xarray(path)
    assert dict(dataset.sizes) == {"object": 4, "measurement": 1, "value": 2, "epoch": 5}
