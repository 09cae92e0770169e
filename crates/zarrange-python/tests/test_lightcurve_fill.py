"""Filling light curves: arrays and tables of every form, more epochs, several processes."""

import subprocess
import sys
import warnings

import astropy.table
import numpy as np
import pandas
import pyarrow
import pytest
import xarray
import zarr
from lightcurves import BANDS, EPOCHS, IDS, NIGHTS, OBJECTS, made, measured

import zarrange
from zarrange import LightcurveStorage


def test_arrays_of_every_form():
    values = measured()[1]
    flux, error = values[..., 0], values[..., 1]
    dims = ("object", "measurement")
    labels = {"object": IDS[::-1], "measurement": BANDS}
    whole = {"flux": flux, "flux_err": error}
    for arrays in ("flux", "labelled"):
        names = ("flux", "flux_err") if arrays == "flux" else ("value", "uncertainty")

        def check(given, expected=values, arrays=arrays, **options):
            storage = made("f.zarr", arrays, fill=False, overwrite=True)
            filled = storage.populate_epoch(given, "n1", **options)
            assert filled == zarrange.Filled(np.count_nonzero(~np.isnan(expected)), filled.chunks, (1,))
            found = storage.get_epoch_data("n1")
            if arrays == "flux":
                found = found.to_dataarray("value").transpose("object", "measurement", "value")
            np.testing.assert_array_equal(found.values, expected)

        check(values)
        check(values.astype("f8"))
        check(np.asfortranarray(values))
        check({band: values[:, k] for k, band in enumerate(BANDS)})
        check({band: dict(zip(names, values[:, k].T, strict=True)) for k, band in enumerate(BANDS)})
        check({(band, name): values[:, k, v] for k, band in enumerate(BANDS) for v, name in enumerate(names)})
        only = np.full_like(values, np.nan)
        only[:, 1, 0] = flux[:, 1]
        check({"r": flux[:, 1]}, only)
        some = np.full_like(values, np.nan)
        some[[4, 2]] = values[[4, 2]]
        check(values[[4, 2]], some, objects=["I4", "I2"])
        one = np.full_like(values, np.nan)
        one[:, 1] = values[:, 1]
        check(values[:, 1:], one, measurements=["r"])
        reversed_ = xarray.DataArray(values[::-1], dims=(*dims, "value"), coords=labels)
        check(reversed_.transpose("value", "object", "measurement") if arrays == "labelled" else reversed_)
        if arrays == "flux":
            alone = np.full_like(values, np.nan)
            alone[..., 0] = flux
            check(whole)
            check(flux, alone)
            check(
                {name: xarray.DataArray(data[::-1], dims=dims, coords=labels) for name, data in whole.items()}
            )
            dataset = xarray.Dataset(
                {name: (dims[::-1], data[::-1].T) for name, data in whole.items()}, labels
            )
            check(dataset)
            check(dataset.expand_dims(epoch=["n1"]))


def rows():
    """A catalogue of one night, as columns."""
    values = measured()[1, ::-1]
    columns = {"source_id": np.array(IDS[::-1])}
    for k, band in enumerate(BANDS):
        columns |= {f"FLUX_{band}": values[:, k, 0], f"ERR_{band}": values[:, k, 1]}
    return columns


def tables():
    """The same in every form."""
    columns = rows()
    frame = pandas.DataFrame(columns)
    frame.to_csv("night.csv", index=False)
    frame.to_parquet("night.parquet")
    described = astropy.table.QTable(columns, masked=True)
    described["FLUX_g"].unit = "nJy"
    structured = astropy.table.Table(columns).as_array()
    return {
        "mapping": columns,
        "frame": frame,
        "index": frame.set_index("source_id"),
        "astropy": described,
        "structured": structured,
        "arrow": pyarrow.table(frame),
        "csv": "night.csv",
        "parquet": "night.parquet",
    }


@pytest.mark.parametrize(
    "form", ["mapping", "frame", "index", "astropy", "structured", "arrow", "csv", "parquet"]
)
def test_tables_of_every_form(form):
    told = {
        f"{name}[{band}]": f"{column}_{band}"
        for band in BANDS
        for name, column in (("flux", "FLUX"), ("flux_err", "ERR"))
    }
    storage = made(fill=False)
    filled = storage.populate_epoch(tables()[form], "n1", columns=told)
    assert filled == zarrange.Filled(24, 2, (1,), OBJECTS)
    np.testing.assert_array_equal(storage.dataset.flux.sel(epoch="n1"), measured()[1, ..., 0])


def test_tables_of_other_kinds():
    def check(table, changed, rejected="", epoch=None, **options):
        storage = made("t.zarr", fill=False, overwrite=True)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            filled = storage.populate_epoch(table, epoch, **options)
        told = " ".join(str(warning.message) for warning in told)
        assert (filled.changed, rejected in told, bool(told)) == (changed, True, bool(rejected))

    one = {"object": ["I1", "I2"], "flux": [1.0, 2.0]}
    check({**one, "time": [59001.0, 59002.0], "band": ["g", "r"]}, 2)
    check({**one, "epoch": ["n0", "n3"]}, 2, at={"measurement": "g"})
    check({**one, "band": np.array(["g", "r"], dtype=np.dtypes.StringDType())}, 2, epoch="n0")
    check(
        {"id": IDS, "flux": np.ma.masked_greater(np.arange(6.0), 3)}, 4, epoch="n0", at={"measurement": "g"}
    )
    check(
        {"id": IDS, "flux": pandas.array([1, None, 3, None, 5, 6], "Int64")},
        4,
        epoch="n0",
        at={"measurement": "g"},
    )
    check(
        {**one, "night": np.array(["2020-01-01"] * 2, "M8[D]")},
        2,
        "night (datetime64[D], 1 dimensions)",
        "n0",
        at={"measurement": "g"},
    )
    check(
        {"object": ["I1", "X"], "flux": [1.0, 2.0]},
        1,
        '1 rows of the table are not used: the catalogue, row 2: the store has no object "X"',
        "n0",
        at={"measurement": "g"},
    )
    # Several numbers in a column have names as in files.
    check(
        {"object": ["I1", "I2"], "F": np.ones((2, 2))},
        4,
        "",
        "n0",
        columns={"flux[g]": "F", "flux[r]": "F_1"},
    )


def test_what_is_there_stays():
    storage = made()
    values = measured()[1]
    assert storage.populate_epoch(values, "n1").changed == 0
    with pytest.raises(zarrange.ConflictError, match=r"flux of object I0, epoch n1, measurement g is 25"):
        storage.populate_epoch(values + 1, "n1")
    with pytest.raises(zarrange.ConflictError, match="object I0"):
        storage.populate_epoch({"object": ["I0"], "flux[g]": [7.0]}, "n1", columns={"flux[g]": "flux[g]"})
    values[0] = np.nan
    values[1] += 1
    assert storage.populate_epoch(values, "n1", replace=True).changed == 4
    assert storage.get_lightcurve("I0").flux.sel(epoch="n1", measurement="g") == measured()[1, 0, 0, 0]
    assert storage.populate_epoch(values, "n1", replace="all", run="again").changed == 4
    assert np.isnan(storage.get_lightcurve("I0").flux.sel(epoch="n1", measurement="g"))
    assert zarr.open_array(storage.path, path="fills/run")[1].tolist() == ["again"] * 2


PROCESS = """
import sys, numpy as np
from zarrange import LightcurveStorage
storage, band, value = LightcurveStorage("curves.zarr"), sys.argv[1], float(sys.argv[2])
sys.stdin.readline()
for epoch in range(20):
    storage.populate_epoch({band: np.full((200, 2), value)}, epoch)
"""


def test_two_processes_fill_one_epoch():
    storage = LightcurveStorage.create("curves.zarr", 200, 20, measurements=["ch1", "ch2"], arrays="labelled")
    fillers = [
        subprocess.Popen([sys.executable, "-c", PROCESS, band, value], stdin=subprocess.PIPE)
        for band, value in (("ch1", "1"), ("ch2", "2"))
    ]
    for filler in fillers:  # They begin together.
        filler.stdin.write(b"\n")
        filler.stdin.flush()
    assert [filler.wait(120) for filler in fillers] == [0, 0]
    found = storage.dataset.lightcurves.transpose("measurement", ...).values
    assert (found[0] == 1).all()
    assert (found[1] == 2).all()
    assert storage.get_storage_info()["filled"] == 20


def test_epochs_are_added():
    storage = made()
    before = LightcurveStorage(storage.path)
    night = measured()[2]
    for _ in range(2):  # A replay adds nothing.
        storage.append_epoch_data("n4", night, variables={"time": 59004.0})
    assert storage.dataset.epoch.values.tolist() == [*NIGHTS, "n4"]
    assert float(storage.dataset.time.sel(epoch="n4")) == 59004.0
    np.testing.assert_array_equal(storage.get_epoch_data("n4", value_key="flux"), night[..., 0])
    assert before.get_lightcurve("I1").sizes["epoch"] == EPOCHS
    before.append_epoch_data("n5", night, variables={"time": 59005.0})
    assert before.append_epochs({"epoch": ["n6"], "time": [59006.0]}) == range(6, 7)
    with pytest.warns(UserWarning, match="time have no value"):
        before.append_epochs(["n7"])
    numbered = LightcurveStorage.create("numbered.zarr", 3, 2)
    numbered.append_epoch_data(2, np.ones((3, 1, 2)))
    assert numbered.get_lightcurve(1).flux.values.ravel()[2] == 1
    assert numbered.append_epochs(2) == range(3, 5)
