"""Light curves: made, read and copied from Python, and read by xarray and zarr-python."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings

import astropy.table
import astropy.timeseries
import numpy as np
import pandas
import pyarrow
import pytest
import xarray
import zarr
from lightcurves import BANDS, EPOCHS, IDS, NIGHTS, OBJECTS, SKY, TDB, WHEN, made, measured

import zarrange
from zarrange import LightcurveStorage

# What is written.


@pytest.mark.parametrize("arrays", ["flux", "labelled"])
def test_xarray_and_zarr_read_it(arrays):
    storage = made(arrays=arrays)
    opened = xarray.open_zarr(storage.path)
    assert (opened.object.values.tolist(), opened.epoch.values.tolist()) == (IDS, NIGHTS)
    assert set(opened.coords) >= {"object", "epoch", "measurement", "ra", "dec", "time"}
    assert opened.time.attrs == {"units": "d", **TDB}
    group = zarr.open_group(storage.path, mode="r")
    values = measured()
    if arrays == "flux":
        assert group["flux"].chunks == (OBJECTS, 1, 2)
        found = opened.sel(object="I3", epoch="n2", measurement="r")
        assert (float(found.flux), float(found.flux_err)) == tuple(values[2, 3, 1])
        assert opened.flux.attrs["units"] == "nJy"
    else:
        np.testing.assert_array_equal(group["lightcurves"][...], values.transpose(1, 2, 3, 0))
        assert group["value"][:].tolist() == ["value", "uncertainty"]
    runs = zarr.open_array(storage.path, path="fills/objects")[:, 0].tolist()
    assert runs == [OBJECTS - 1] + [OBJECTS] * (EPOCHS - 1)


def test_layouts():
    def check(chunks, expected, shards=None, arrays="flux"):
        storage = made("l.zarr", arrays, fill=False, chunks=chunks, overwrite=True)
        found = next(iter(storage.get_storage_info()["layouts"].values()))
        assert (found["chunks"], found["shards"]) == (expected, shards)

    check(None, [6, 1, 2])
    check({"object": 4}, [4, 1, 2])
    check({"object": -1, "epoch": 3, "measurement": 1, "value": 2}, [6, 3, 1])
    check({"value": 1, "epoch": -1}, [6, 2, 1, 4], arrays="labelled")
    check("time-blocks:2", [6, 2, 2])
    assert LightcurveStorage.create("n.zarr", 3, 2, {"measurement": 4})._schema.sizes["measurement"] == 4


def test_their_pipelines_names():
    storage = LightcurveStorage.create_for_per_epoch_write(
        "p_write.zarr", SKY, BANDS, WHEN, values=("mag", "mag_err")
    )
    for epoch, values in enumerate(measured()):
        storage.populate_epoch(catalog=values, epoch_key=NIGHTS[epoch])
    read = storage.rechunk_for_per_object_read(chunk_size=4)
    assert read.path == storage.path.replace("_write", "_read")
    assert read.get_storage_info()["layouts"]["lightcurves"]["chunks"] == [4, 2, 2, 4]
    curve = read.get_object_lightcurve("I3", "r", "mag_err")
    assert (curve.dims, curve.object.item(), curve.value.item()) == (("epoch",), "I3", "mag_err")
    np.testing.assert_array_equal(curve, measured()[:, 3, 1, 1])
    assert curve.sel(epoch="n2") == measured()[2, 3, 1, 1]
    assert read.get_object_lightcurve("I3").dims == ("measurement", "value", "epoch")
    assert read.get_epoch_data("n1", "g").dims == ("object", "value")


# Reading.


def test_light_curves_are_labelled():
    storage = made()
    for opened in (
        storage,
        storage.rechunk_to_object_optimized("copy.zarr"),
        LightcurveStorage(zarr.storage.LocalStore(storage.path)),
    ):
        curve = opened.get_lightcurve("I3")
        assert isinstance(curve.flux.variable._data, np.ndarray)
        expected = xarray.open_zarr(storage.path, chunks=None).sel(object="I3")
        xarray.testing.assert_equal(curve, expected)
        assert curve.flux.attrs == expected.flux.attrs
        assert float(curve.ra) == SKY["ra"][3]
        curve.flux[0] = 1  # It is the caller's.
        xarray.testing.assert_equal(opened.get_lightcurve("I3", "r"), expected.sel(measurement="r"))
        xarray.testing.assert_equal(opened.get_lightcurve(index=3), expected)
    xarray.testing.assert_equal(storage.get_object_lightcurve("I3", value_key="flux_err"), expected.flux_err)


def test_stores_of_others_are_read():
    """Packed values and dates come as xarray has them."""
    values = measured()
    theirs = xarray.Dataset(
        {
            "mag": (("object", "epoch"), values[..., 0, 0].T),
            "night": (("object", "epoch"), values[..., 1, 0].T),
        },
        {"object": IDS, "epoch": np.datetime64("2020-01-01") + np.arange(EPOCHS)},
    )
    theirs.to_zarr("theirs.zarr", encoding={"mag": {"scale_factor": 0.5, "dtype": "i4", "_FillValue": -1}})
    storage = LightcurveStorage("theirs.zarr")
    xarray.testing.assert_equal(
        storage.get_lightcurve("I2"), xarray.open_zarr("theirs.zarr").sel(object="I2").load()
    )
    assert list(storage.get_lightcurves(["I2"], arrays=["night"])) == ["object", "epoch", "night"]
    with pytest.raises(ValueError, match="scale_factor"):
        storage.get_lightcurves(["I2"])
    # A store in memory is read through its callbacks.
    memory = zarr.storage.MemoryStore()
    zarr.open_array("theirs.zarr/mag")
    theirs.drop_vars("mag").to_zarr(memory)
    assert LightcurveStorage(memory).get_lightcurve("I2").night[1] == values[1, 2, 1, 0]
    with pytest.raises(ValueError, match="no locks"):
        LightcurveStorage(memory).populate_epoch(np.ones(OBJECTS), 0)


def test_what_is_large_is_lazy():
    storage = made()
    decoded = []

    def check(found):
        for name in ("flux", "flux_err"):
            assert not isinstance(found[name].variable._data, np.ndarray)
        decoded.append(found.load())

    check(storage.dataset)
    check(storage.get_epoch_data("n2"))
    check(storage.get_epoch_data("n2", "g"))
    check(storage.get_objects_in_region((359, 1), (-2, 2)))
    check(storage.get_objects_in_cone(0.0, 0.0, 1.05))
    assert decoded[3].object.values.tolist() == ["I0", "I1", "I2"]
    assert decoded[4].object.values.tolist() == ["I0"]
    assert decoded[2].sel(object="I3").flux == measured()[2, 3, 0, 0]
    # Nothing is kept that others may change.
    storage.populate_epoch(measured()[3], "n2", replace=True)
    assert storage.dataset.flux.sel(object="I3", epoch="n2", measurement="g") == measured()[3, 3, 0, 0]
    unlabelled = LightcurveStorage.create(
        "u.zarr", {"object": [5, 7], "ra": [1.0, 2.0], "dec": [0.0, 0.0]}, 2
    )
    assert unlabelled.get_objects_in_region((1.5, 3), (-1, 1)).object.values.tolist() == [7]


def test_many_light_curves():
    storage = made()

    def check(rows, count=OBJECTS, **query):
        found = storage.get_lightcurves(**query)
        assert (found.rows, found.objects, len(found["flux"])) == (rows, count, rows)
        return found

    everything = check(OBJECTS * EPOCHS * 2 - 2)
    assert everything.units == {
        "object": None,
        "epoch": None,
        "time": "d",
        "measurement": None,
        "flux": "nJy",
        "flux_err": "nJy",
    }
    check(OBJECTS * EPOCHS * 2, gaps=True)
    check(16, 2, objects=["I3", "I1"])
    check(8, 1, objects=np.array(["I3"]))
    check(6, 3, cone=(0, 0, 2.0), measurements=["g"], epochs=["n1", "n2"])
    check(4, 1, box=(9, 11, 4, 6), times=(59001, 59002))
    check(6, 1, objects=["I1"], times=(59001, None))
    check(8, 1, objects=["I1"], recorded=True, arrays=["flux"])
    found = storage.get_lightcurves(["I3", "I1"], measurements=["r"])
    assert found["object"].tolist() == ["I1"] * EPOCHS + ["I3"] * EPOCHS
    np.testing.assert_array_equal(found["flux_err"], measured()[:, [1, 3], 1, 1].T.ravel())

    frame = found.to_pandas()
    assert frame.groupby("object").size().to_dict() == {"I1": EPOCHS, "I3": EPOCHS}
    assert pyarrow.table(found).equals(found.to_arrow())
    np.testing.assert_array_equal(found.to_arrow()["flux"].to_numpy(), found["flux"])
    nested = found.to_arrow(nested="curve").to_pylist()
    assert [(row["object"], len(row["curve"])) for row in nested] == [("I1", EPOCHS), ("I3", EPOCHS)]
    series = found.to_astropy()
    assert isinstance(series, astropy.timeseries.TimeSeries)
    assert (series.time.scale, series["flux"].unit) == ("tdb", "nJy")
    np.testing.assert_allclose(series.time.mjd, found["time"], rtol=0, atol=1e-9)
    found.save("curves.parquet")
    assert pandas.read_parquet("curves.parquet").equals(found.to_arrow().to_pandas())


def test_pictures():
    storage = made()
    picture = storage.plot("I3", arrays=["flux", "flux_err"])
    assert picture._repr_svg_().startswith("<svg")
    assert "I3" in picture.svg
    assert picture.png().startswith(b"\x89PNG")
    picture.save("i3.svg")
    folded = storage.get_lightcurves(["I3"], measurements=["r"]).plot(
        fold=1.5, phase_zero=59000.0, size=(400, 300)
    )
    assert "P = 1.5 d" in folded.svg
    with pytest.raises(ValueError, match=r"one object, these are 2"):
        storage.get_lightcurves(["I3", "I4"]).plot()
    with pytest.raises(ValueError, match=r"\.svg or a \.png"):
        picture.save("i3.jpg")


# Copies, and what lies beside a store.


def test_copies_stay_in_step():
    storage = made(fill=False)
    storage.populate_epoch(measured()[1], "n1")
    copy = storage.rechunk_to_object_optimized("copy.zarr", 2)
    storage.populate_epoch(measured()[2], "n2")
    storage.append_epoch_data("n4", measured()[3], variables={"time": 59004.0})
    assert copy.get_storage_info()["copy"]["behind"]["epochs"] == [2, 4]
    synced = copy.sync(progress=False)
    assert (synced["epochs"], synced["new_epochs"]) == ([2, 4], 1)
    xarray.testing.assert_equal(copy.dataset.load(), storage.dataset.load())
    with pytest.raises(ValueError, match="is a copy of"):
        copy.populate_epoch(measured()[0], "n0")
    with pytest.raises(FileExistsError):
        storage.rechunk_to_object_optimized("copy.zarr")
    with pytest.raises(ValueError, match="does not say of what"):
        storage.sync()

    def fails(phase, bytes_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        storage.rechunk_to_object_optimized("other.zarr", progress=fails)
    assert not zarr.storage.LocalStore("other.zarr").root.exists()
    # The same object goes on.
    assert storage.get_lightcurve("I1").sizes["epoch"] == EPOCHS + 1


def test_tables_beside_a_store():
    storage = made()
    nights = {
        "night": np.array(["a", "b", "c"]),
        "seeing": [0.5, np.nan, 1.5],
        "count": [1, 2, 3],
        "good": np.array([True, False, True]),
        "tries": pandas.array([1, None, 3], "Int64"),
    }
    for table in (
        nights,
        pandas.DataFrame(nights),
        astropy.table.Table({k: np.asarray(v) for k, v in nights.items() if k != "tries"}),
    ):
        path = storage.save_metadata_table("nights", table)
        assert path.name == "nights.parquet"
        loaded = storage.load_metadata_table("nights")
        for name in loaded:
            there = ~np.ma.getmaskarray(loaded[name])
            assert there.tolist() == [True, name != "tries", True]
            np.testing.assert_array_equal(loaded[name][there], np.asarray(nights[name])[there])
        assert pandas.read_parquet(path).fillna(-1).equals(loaded.to_arrow().to_pandas().fillna(-1))
        assert loaded.to_pandas().isna().sum().sum() == 1 + ("tries" in loaded)
    assert zarrange.info(storage.path)["unreadable"] == []
    with pytest.raises(FileNotFoundError):
        storage.load_metadata_table("other")
    for name in ("", "../a", ".a", "a/b"):
        with pytest.raises(ValueError, match="no name of a table"):
            storage.save_metadata_table(name, nights)
    with pytest.raises(ValueError, match="M8|datetime64"):
        storage.save_metadata_table("dates", {"date": np.array(["2020-01-01"], "M8[D]")})


def test_processes():
    storage = made()
    again = pickle.loads(pickle.dumps(storage))
    xarray.testing.assert_equal(again.get_lightcurve("I3"), storage.get_lightcurve("I3"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of forks with threads.
        # What was opened before the fork, in a process that has none of its threads.
        INHERITED.append(storage)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map(_flux, IDS)
            night = measured()[0]
            night[0] = 5
            assert pool.apply(_populate, (night,)) == 4
        INHERITED.clear()
    np.testing.assert_array_equal(found, measured()[:, :, 0, 0].T)


INHERITED = []


def _flux(name):
    flux = INHERITED[0].get_lightcurve(name, "g").flux.values
    assert INHERITED[0]._process == os.getpid()
    return flux


def _populate(night):
    return INHERITED[0].populate_epoch(night, "n0").changed


# What goes wrong.


def test_wrong_arguments():
    storage = made()
    values = measured()[1]
    one = {"object": ["I1"], "flux": [1.0]}

    def check(call, exception, *parts):
        with pytest.raises(exception) as raised:
            call()
        assert type(raised.value) is exception
        for part in parts:
            assert part in str(raised.value), raised.value

    create, fill = LightcurveStorage.create, storage.populate_epoch
    check(lambda: create("a", n_objects=3), ValueError, "max_epochs is missing")
    check(lambda: create("a", -1, 3), ValueError, "n_objects=-1")
    check(lambda: create("a", 1.5, 3), ValueError, "n_objects are no labels", "0 dimensions")
    check(lambda: create("a", ["x", "x"], 3), ValueError, '"x" is there twice')
    check(lambda: create("a", [1.5], 3), ValueError, "labels are text or whole numbers")
    check(
        lambda: create("a", 3, 3, {"epochs": 1}), ValueError, '"epochs"', '["object", "epoch", "measurement"]'
    )
    check(lambda: create("a", 3, 3, {"epoch": 0}), ValueError, "chunks['epoch']=0")
    check(lambda: create("a", 3, 3, {"epoch": "1"}), TypeError, "chunks['epoch']='1'")
    check(lambda: create("a", 3, 3, {"measurement": "x"}), TypeError, "chunks['measurement']='x'")
    check(lambda: create("memory://a", 3, 3), ValueError, "no folder of this machine")
    check(lambda: create("a", 3, 3, "by-object"), ValueError, "by-object", "object-optimized")
    check(lambda: create("a", 3, 3, [1, 1]), TypeError, "chunks=[1, 1]")
    check(lambda: create("a", 3, 3, values=("a", "b")), ValueError, "labelled")
    check(lambda: create("a", 3, 3, arrays="mags"), ValueError, "arrays='mags'")
    check(lambda: create("a", 2**40, 2**40), ValueError, "too many")
    check(lambda: create("a", {"object": [1], "ra": [1.0, 2.0]}, 1), ValueError, "ra has 2 values")
    check(lambda: create("a", "no.csv", 1), FileNotFoundError, "no.csv")
    check(lambda: create("a", 1, 1, max_mem="much"), ValueError, "max_mem='much'")
    check(lambda: create(storage.path, 1, 1), FileExistsError, "curves.zarr")
    check(lambda: LightcurveStorage("no.zarr"), FileNotFoundError, "no.zarr")
    zarr.create_group("empty.zarr")
    check(lambda: LightcurveStorage("empty.zarr"), ValueError, "holds no light curves")

    check(lambda: fill(values, "n9"), KeyError, "n9", "there are 4")
    check(lambda: fill(values), ValueError, "epoch_key is missing")
    check(lambda: fill("n1", values), TypeError, "epoch=array(", "... is no label")
    check(lambda: fill(1, values), TypeError, "populate_epoch_v2")
    check(lambda: fill(object(), "n1"), TypeError, "nothing to fill an epoch with")
    check(lambda: fill(values[:-1], "n1"), ValueError, "(5, 2)", "object=6, measurement=2")
    check(lambda: fill(values[0], "n1"), ValueError, "(2, 2)", "flux")
    check(lambda: fill(values[..., 0], "n1", objects=["I1"]), ValueError, "(6, 2)", "object=1")
    check(lambda: fill(values[:1], "n1", objects=["X"]), KeyError, '"X"')
    check(lambda: fill(values[:2], "n1", objects=["I1", "I1"]), ValueError, "same object twice")
    check(lambda: fill(values, "n1", objects="I1"), TypeError, "objects='I1' is one label")
    check(lambda: fill(values, "n1", replace="some"), ValueError, 'replace="some"')
    check(lambda: fill(values, "n1", wait=-1), ValueError, "wait=-1")
    check(lambda: fill({"flux": values[..., 0], "mag": 1}, "n1"), ValueError, "mag")
    check(lambda: fill({"g": {"mag": values[:, 0, 0]}}, "n1"), KeyError, "mag", "flux_err")
    check(lambda: fill({"u": values[:, 0]}, "n1"), KeyError, '"u"')
    check(lambda: fill({"flux": np.array([["a"]])}, "n1"), TypeError, "flux")
    check(lambda: fill({}, "n1"), ValueError, "nothing in it")
    check(lambda: fill(values, "n1", columns={"object": "id"}), ValueError, "columns is for tables")
    check(lambda: fill(one, "n1", objects=["I1"]), ValueError, "objects is for arrays")
    check(lambda: fill(one, "n1", replace="all"), ValueError, "replace='all'")
    check(lambda: fill(one, "n1"), ValueError, "measurement")
    check(lambda: fill({**one, "band": ["g", "r"]}, "n1"), ValueError, "band", "2 rows")
    check(lambda: fill("no.fits", "n1"), FileNotFoundError, "no.fits")
    table = astropy.table.Table(one)
    table["flux"].unit = "mJy"
    check(lambda: fill(table, "n1", at={"measurement": "g"}), ValueError, "mJy", "nJy")
    check(lambda: storage.populate_epoch_v2(4, values), IndexError, "epoch_idx=4")
    check(lambda: storage.append_epochs(["n1"]), ValueError, '"n1" is there twice')
    check(lambda: storage.append_epochs(2), ValueError, "give those of the new ones")

    check(lambda: storage.get_lightcurve("X"), KeyError, '"X"', "I0")
    check(lambda: storage.get_lightcurve(1.5), TypeError, "object=1.5 is no label")
    check(lambda: storage.get_lightcurve("I1", "u"), KeyError, '"u"')
    check(lambda: storage.get_lightcurve(index=6), IndexError, "index=6")
    check(lambda: storage.get_lightcurve("I1", index=1), ValueError, "give one of them")
    check(lambda: storage.get_lightcurve("I1", max_mem=8), MemoryError, "32 bytes", "max_mem is 8")
    check(lambda: storage.get_object_lightcurve("I1", value_key="mag"), KeyError, "mag")
    check(lambda: storage.get_lightcurves(["X"]), KeyError, '"X"')
    check(lambda: storage.get_lightcurves("I1"), TypeError, "objects='I1'")
    check(lambda: storage.get_lightcurves(["I1"], cone=(1, 1, 1)), ValueError, "give one of them")
    check(
        lambda: storage.get_lightcurves(["I1"], epochs=["n1"], times=(1, 2)), ValueError, "give one of them"
    )
    check(lambda: storage.get_lightcurves(arrays=["mag"]), KeyError, '"mag"')
    check(lambda: storage.rechunk_to_object_optimized("b", 0), ValueError, "n_epochs=0")
    check(lambda: storage.rechunk_to_object_optimized("b", chunk_size=0), ValueError, "chunks['object']=0")
    check(lambda: storage.rechunk_to_object_optimized("b", threads=0), ValueError, "threads=0")
    check(lambda: storage.rechunk_to_object_optimized("b", verify="all"), ValueError, "all")
    plain = LightcurveStorage.create("plain.zarr", 2, 2)
    check(lambda: plain.get_objects_in_region((0, 1), (0, 1)), ValueError, "no positions")
    check(lambda: plain.get_lightcurves(times=(0, 1)), ValueError, "time")
    check(lambda: plain.get_lightcurves().to_astropy(), ValueError, "there are no times")
    check(lambda: plain.append_epoch_data(3, np.ones((2, 1, 2))), KeyError, "3")
    untold = LightcurveStorage.create("untold.zarr", 2, WHEN)
    check(lambda: untold.get_lightcurves().to_astropy(), ValueError, "format='mjd'")
    assert untold.get_lightcurves(gaps=True).to_astropy("mjd").time.format == "mjd"
    # A chunk that cannot be read is named.
    chunk = next(zarr.storage.LocalStore(storage.path).root.glob("flux/c/*/*/*"))
    chunk.write_bytes(b"broken")
    check(lambda: storage.get_lightcurves(["I1"]), zarrange.CorruptChunkError, "flux")
    assert not zarr.storage.LocalStore("a").root.exists()


def test_what_is_not_installed_is_told(monkeypatch):
    storage = made()
    curves = storage.get_lightcurves(["I3"])
    for name, call in {
        "xarray": lambda: LightcurveStorage(storage.path).get_lightcurve("I3"),
        "pandas": curves.to_pandas,
        "pyarrow": lambda: curves.__arrow_c_stream__(),
        "astropy": curves.to_astropy,
    }.items():
        for module in [known for known in sys.modules if known.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=f"pip install {name}"):
            call()
        monkeypatch.undo()


def test_what_is_imported():
    code = "import zarrange, sys, json; print(json.dumps([n for n in ('zarr', 'xarray', 'pandas', 'dask', 'astropy') if n in sys.modules]))"
    assert json.loads(subprocess.check_output([sys.executable, "-c", code])) == []
