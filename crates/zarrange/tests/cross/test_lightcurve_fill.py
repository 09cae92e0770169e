"""`zarrange lightcurve fill`: what is in catalogues is in the store, as xarray reads it."""

import csv
import fcntl
import json
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from catalogues import WITH_UNITS, WITHOUT_GAPS, WRITERS
from compare import open_xarray
from support import open_tensorstore, tree

OBJECTS, EPOCHS, BANDS = 40, 6, ["g", "r"]
TIMES = 59000 + 1.25 * np.arange(EPOCHS)


@pytest.fixture
def store(run, tmp_path):
    """A store of all objects, epochs and bands, with labels, times and units."""
    (tmp_path / "objects.csv").write_text("object,ra\n" + "".join(f"I{k},{k * 9}\n" for k in range(OBJECTS)))
    (tmp_path / "epochs.csv").write_text(
        "epoch,time\n" + "".join(f"gr{k:04},{time}\n" for k, time in enumerate(TIMES))
    )
    (tmp_path / "bands.csv").write_text("band,unit\n" + "".join(f"{band},nJy\n" for band in BANDS))
    path = tmp_path / "store"
    dimensions = {"objects": "objects", "epochs": "epochs", "measurements": "bands"}
    run(
        "lightcurve",
        "create",
        path,
        *[f"--{name}={tmp_path}/{table}.csv" for name, table in dimensions.items()],
    )
    return path


def failed(run, *arguments, code: int = 1):
    """The command, which must fail."""
    done = run(*arguments, check=False)
    assert done.returncode == code, done
    return done


def rows(gaps: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows of all objects at all epochs in all bands, in no order, and the arrays that they make."""
    rng = np.random.default_rng(17)
    shape = (OBJECTS, EPOCHS, len(BANDS))
    arrays = {
        "flux": rng.normal(100, 30, shape).astype("f4"),
        "flux_err": rng.uniform(0.1, 5, shape).astype("f4"),
    }
    if gaps:
        for values in arrays.values():
            values[rng.random(shape) < 0.2] = np.nan
    order = rng.permutation(np.prod(shape))
    o, e, b = np.unravel_index(order, shape)
    columns = {
        "object": np.array([f"I{k}" for k in o]),
        "time": TIMES[e] + 1e-6,
        "band": np.array([BANDS[k] for k in b]),
    }
    for name, values in arrays.items():
        taken = values[o, e, b]
        columns[name] = np.ma.masked_array(taken, np.isnan(taken)) if gaps else taken
    return columns, arrays


@pytest.mark.parametrize("kind", WRITERS)
def test_catalogues_of_every_format(run, tmp_path, store, kind):
    columns, arrays = rows(gaps=kind not in WITHOUT_GAPS)
    WRITERS[kind](tmp_path / "catalogue", columns, {"time": "d", "flux": "nJy"})
    done = json.loads(
        run("lightcurve", "fill", store, tmp_path / "catalogue", "--run", kind, "--json").stdout
    )
    assert (done["rows"], done["rejected_rows"], done["epochs"]) == (OBJECTS * EPOCHS * 2, 0, EPOCHS)
    dataset = open_xarray(store)
    for name, values in arrays.items():
        np.testing.assert_array_equal(dataset[name].values, values)
    fills = open_xarray(store, group="fills")
    there = ~(np.isnan(arrays["flux"]) & np.isnan(arrays["flux_err"]))
    np.testing.assert_array_equal(fills["objects"].values, there.sum(axis=0))
    assert set(fills["run"].values.ravel().tolist()) == {kind}
    # The same again changes nothing.
    again = json.loads(run("lightcurve", "fill", store, tmp_path / "catalogue", "--json").stdout)
    assert (again["changed_values"], again["chunks_written"]) == (0, 0)


@pytest.mark.parametrize("kind", WITH_UNITS)
def test_units_that_contradict_are_refused(run, tmp_path, store, kind):
    columns, arrays = rows(gaps=False)
    columns = {name: values[columns["band"] == "g"] for name, values in columns.items() if name != "band"}
    WRITERS[kind](tmp_path / "catalogue", columns, {"flux": "mJy"})
    fill = ["lightcurve", "fill", store, tmp_path / "catalogue", "--at", "measurement=g"]
    error = failed(run, *fill).stderr
    assert '"mJy"' in error and '"nJy"' in error and "flux" in error
    assert open_xarray(store)["flux"].isnull().all()
    run(*fill, "--ignore-units")
    np.testing.assert_array_equal(open_xarray(store)["flux"].values[:, :, 0], arrays["flux"][:, :, 0])


def test_what_cannot_be_used_is_named(run, tmp_path, store):
    """A row that is wrong is told with its place; the others are filled."""
    bad = {
        "I999,59000,g,1,1": "no object",
        ",59000,g,1,1": "no object",
        "I2,59000.5,g,1,1": "no epoch within",
        "I2,,g,1,1": "no time",
        "I2,nan,g,1,1": "no time",
        "I2,59000,z,1,1": 'no measurement "z"',
        "I2,59000,g,bright,1": '"bright" is no number',
        "I2,59000,g,1e39,1": "cannot hold",
        # Nothing of it is filled, also what is right.
        "I2,59000,g,3,1e39": "cannot hold",
        "I2,59000,g": "3 fields",
        "I1,59000,g,7,1": "was given before as 5",
    }
    table = tmp_path / "night.csv"
    table.write_text("object,time,band,flux,flux_err\nI1,59000,g,5,1\n" + "\n".join(bad) + "\n")
    rejected = tmp_path / "rejected.csv"
    done = failed(run, "lightcurve", "fill", store, table)
    assert "1 rows at 1 epochs" in done.stdout and f"{len(bad)} rows rejected" in done.stdout
    assert "I999" in done.stderr
    # Whoever takes them in hand has done all.
    run("lightcurve", "fill", store, table, "--rejected", rejected)
    with rejected.open() as file:
        told = {row["place"]: row["reason"] for row in csv.DictReader(file)}
    for line, reason in enumerate(bad.values(), 3):
        assert reason in told.pop(f"line {line}"), (line, reason)
    assert told == {}
    flux = open_xarray(store)["flux"]
    assert flux.sel(object="I1", epoch="gr0000", measurement="g").item() == 5
    assert int(flux.notnull().sum()) == 1


def test_wide_tables_and_names_of_their_own(run, tmp_path, store):
    """Columns are what they are said to be, one for each band, and the epoch is told for all rows."""
    table = tmp_path / "night.csv"
    table.write_text("NUMBER,FLUX_G,FLUX_R,ERR_R\nI5,1.5,2.5,0.5\nI7,,4.5,0.25\n")
    columns = ["object=NUMBER", "flux[g]=FLUX_G", "flux[r]=FLUX_R", "flux_err[measurement=r]=ERR_R"]
    run("lightcurve", "fill", store, table, "--columns", *columns, "--at", "epoch=gr0003")
    at = open_xarray(store).sel(epoch="gr0003")
    assert at["flux"].sel(object="I5").values.tolist() == [1.5, 2.5]
    assert np.isnan(at["flux"].sel(object="I7", measurement="g"))
    assert at["flux_err"].sel(object="I7", measurement="r") == 0.25
    for wrong, reason in {
        "flux=ID": 'no column "ID"',
        "flux[z]=FLUX_G": 'label "z"',
        "mag=FLUX_G": '"mag" is no dimension',
        "flux[g=FLUX_G": "write NAME=VALUE",
    }.items():
        arguments = ["--columns", "object=NUMBER", wrong, "--at", "epoch=gr0003"]
        code = 2 if "NAME" in reason else 1
        assert reason in failed(run, "lightcurve", "fill", store, table, *arguments, code=code).stderr


def test_values_beside_their_uncertainties(run, tmp_path):
    """The store of one array, whose values have uncertainties beside them: by names of columns, and told."""
    (tmp_path / "measurements.csv").write_text("name\nmag_auto\nmag_3\n")
    store = tmp_path / "store"
    sizes = ["--objects", "3", "--epochs", "2", f"--measurements={tmp_path}/measurements.csv"]
    run("lightcurve", "create", store, "--preset", "labelled", *sizes)
    (tmp_path / "long.csv").write_text("object,epoch,measurement,value,uncertainty\n2,0,mag_3,1,0.5\n")
    run("lightcurve", "fill", store, tmp_path / "long.csv")
    (tmp_path / "wide.csv").write_text("object,MAG,ERR\n1,7,0.25\n")
    told = ["lightcurves[mag_auto,value]=MAG", "lightcurves[mag_auto,uncertainty]=ERR"]
    run("lightcurve", "fill", store, tmp_path / "wide.csv", "--columns", *told, "--at", "epoch=1")
    curves = open_xarray(store)["lightcurves"]
    assert curves.isel(object=2, epoch=0).sel(measurement="mag_3").values.tolist() == [1, 0.5]
    assert curves.isel(object=1, epoch=1).sel(measurement="mag_auto").values.tolist() == [7, 0.25]
    assert int(curves.notnull().sum()) == 4


def test_another_value_is_refused_or_replaces(run, tmp_path, store):
    table = tmp_path / "night.csv"
    fill = ["lightcurve", "fill", store, table]
    table.write_text("object,epoch,band,flux\nI1,gr0001,g,5\nI2,gr0001,g,6\n")
    run(*fill)
    table.write_text("object,epoch,band,flux\nI3,gr0001,g,8\nI2,gr0001,g,7\n")
    error = failed(run, *fill).stderr
    assert "flux of object I2, epoch gr0001, measurement g is 6, and 7 is given" in error

    def flux() -> xr.DataArray:
        return open_xarray(store)["flux"].sel(epoch="gr0001", measurement="g")

    assert flux().sel(object=["I1", "I2", "I3"]).values.tolist()[:2] == [5, 6]
    assert np.isnan(flux().sel(object="I3"))
    run(*fill, "--replace")
    assert flux().sel(object=["I1", "I2", "I3"]).values.tolist() == [5, 7, 8]


def test_a_table_that_cannot_be_read_does_not_end_the_others(run, tmp_path, store):
    (tmp_path / "good.csv").write_text("object,epoch,band,flux\nI1,gr0001,g,5\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    tables = [tmp_path / name for name in ["empty.csv", "missing.csv", "good.csv", "other.csv"]]
    done = failed(run, "lightcurve", "fill", store, *tables)
    assert "empty.csv" in done.stderr and "missing.csv" in done.stderr
    assert "other.csv: no column names objects" in done.stderr
    assert "1 rows at 1 epochs" in done.stdout
    assert int(open_xarray(store)["flux"].notnull().sum()) == 1


def test_words_that_contradict_are_refused(run, tmp_path, store):
    table = tmp_path / "night.csv"
    table.write_text("object,epoch,band,flux\nI1,gr0001,g,5\n")
    for wrong in [
        ["--at", "object=I1"],
        ["--at", "epoch=gr0001", "epoch=gr0002"],
        ["--columns", "flux=flux", "flux=band"],
        ["--rejected", table],
    ]:
        failed(run, "lightcurve", "fill", store, table, *wrong)
        assert table.read_text().startswith("object,") and open_xarray(store)["flux"].isnull().all()


def test_units_of_rows_that_name_their_band(run, tmp_path, store):
    """The unit of a column is that of no band of the store."""
    columns, _ = rows(gaps=False)
    WRITERS["ecsv"](tmp_path / "catalogue", columns, {"flux": "mJy"})
    assert '"mJy"' in failed(run, "lightcurve", "fill", store, tmp_path / "catalogue").stderr


def test_labels_are_columns_as_they_are_written(run, tmp_path):
    """R is another band than r."""
    (tmp_path / "bands.csv").write_text("band\nR\nr\n")
    store = tmp_path / "store"
    sizes = ["--objects", "3", "--epochs", "2", f"--measurements={tmp_path}/bands.csv"]
    run("lightcurve", "create", store, "--preset", "labelled", *sizes)
    (tmp_path / "night.csv").write_text("object,r\n1,7\n")
    run("lightcurve", "fill", store, tmp_path / "night.csv", "--at", "epoch=1", "value=value")
    curves = open_xarray(store)["lightcurves"]
    assert curves.sel(measurement="r", value="value").isel(object=1, epoch=1) == 7
    assert int(curves.notnull().sum()) == 1


def test_an_epoch_that_is_not_the_only_one_near(run, tmp_path):
    (tmp_path / "epochs.csv").write_text("epoch,time\ne1,20\ne2,20\ne3,30\n")
    store = tmp_path / "store"
    run("lightcurve", "create", store, "--objects", "2", f"--epochs={tmp_path}/epochs.csv")
    (tmp_path / "night.csv").write_text("object,time,flux\n0,20,5\n1,30,6\n")
    done = failed(run, "lightcurve", "fill", store, tmp_path / "night.csv")
    assert "several epochs are as near" in done.stderr and "1 rows at 1 epochs" in done.stdout


def test_arrays_in_other_orders_of_dimensions(run, tmp_path):
    """Epochs that share a chunk are filled by one at a time, wherever arrays have that dimension."""
    sizes = {"object": 64, "epoch": 32, "measurement": 2}
    store = tmp_path / "store"
    names = [f"--{name}s={size}" for name, size in sizes.items()]
    run("lightcurve", "create", store, *names)
    group = zarr.open_group(store, mode="r+")
    del group["flux_err"]
    order = ["epoch", "object", "measurement"]
    group.create_array(
        "flux_err",
        shape=[sizes[name] for name in order],
        chunks=(16, 1, 1),
        dtype="f4",
        fill_value=np.nan,
        dimension_names=order,
    )
    zarr.consolidate_metadata(store)
    o, e, m = (axis.ravel() for axis in np.indices(tuple(sizes.values())))
    values = np.arange(o.size, dtype="f4")
    columns = {"object": o, "epoch": e, "measurement": m, "flux": values, "flux_err": values / 2}
    WRITERS["parquet"](tmp_path / "rows", columns, {})
    run("lightcurve", "fill", store, tmp_path / "rows", "--threads", "8")
    dataset = open_xarray(store).transpose("object", "epoch", "measurement")
    np.testing.assert_array_equal(dataset["flux"].values.ravel(), values)
    np.testing.assert_array_equal(dataset["flux_err"].values.ravel(), values / 2)


def test_whole_numbers_and_truth(run, tmp_path):
    """Zero is a value; the fill value of a store that records fills says that there is none."""
    store = tmp_path / "store"
    run("lightcurve", "create", store, "--objects", "3", "--epochs", "2", "--measurements", "1")
    group = zarr.open_group(store, mode="r+")
    names = ["object", "epoch"]
    group.create_array("n", shape=(3, 2), chunks=(3, 1), dtype="i8", fill_value=-1, dimension_names=names)
    group.create_array(
        "ok", shape=(3, 2), chunks=(3, 1), dtype="bool", fill_value=False, dimension_names=names
    )
    zarr.consolidate_metadata(store)
    (tmp_path / "t.csv").write_text(
        "object,epoch,flux,n,ok\n0,0,1,0,1\n1,0,1,-1,\n1,1,1,9007199254740993,\n2,0,1,5,2\n2,1,1,,\n"
    )
    done = failed(run, "lightcurve", "fill", store, tmp_path / "t.csv")
    assert "2 rows at 2 epochs" in done.stdout and "3 rows rejected" in done.stdout
    got = run("lightcurve", "get", store, "--all", "--format", "jsonl").stdout
    found = [json.loads(line) for line in got.splitlines()]
    assert [(row["object"], row["epoch"], row["n"], row["ok"]) for row in found] == [
        (0, 0, 0, True),
        (2, 1, None, None),
    ]


def test_the_last_of_what_replaces_wins(run, tmp_path, store):
    """Of tables that contradict each other the last one named, of rows the last one, however many threads there are."""
    tables = []
    for k in range(24):
        tables.append(tmp_path / f"t{k}.csv")
        rows = "".join(f"I{o},gr0002,g,{v}\n" for v in [1000, k] for o in range(OBJECTS))
        tables[-1].write_text("object,epoch,band,flux\n" + rows)
    for last in [23, 0, 11]:
        others = [table for k, table in enumerate(tables) if k != last]
        run("lightcurve", "fill", store, *others, tables[last], "--replace", "--threads", "8")
        assert (open_xarray(store)["flux"].sel(epoch="gr0002", measurement="g") == last).all()


@pytest.mark.parametrize("max_mem", ["40MiB", "1GB"])
def test_rows_that_contradict_are_the_same_within_any_memory(run, tmp_path, max_mem):
    """Also where the first of them was filled, and forgotten, long before the second is read."""
    objects, epochs = 200_000, 40
    store, table = tmp_path / "store", tmp_path / "t.parquet"
    run("lightcurve", "create", store, "--objects", objects, "--epochs", epochs)
    o = np.tile(np.arange(objects // 100) * 100, epochs)
    e = np.repeat(np.arange(epochs), objects // 100)
    # Twice the same, then another value of one object at every epoch, then one that is new.
    again = [np.full(epochs, 300), np.full(epochs, 7)]
    columns = {
        "object": np.concatenate([o, o, *again]),
        "epoch": np.concatenate([e, e, np.arange(epochs), np.arange(epochs)]),
        "flux": np.concatenate([o, o, np.full(epochs, 5), np.full(epochs, 6)]).astype("f4"),
    }
    WRITERS["parquet"](table, columns, {})
    done = failed(run, "lightcurve", "fill", store, table, "--max-mem", max_mem)
    assert f"{epochs} rows rejected" in done.stdout and "was given before as 300" in done.stderr
    flux = open_xarray(store)["flux"].values[:, :, 0]
    assert (flux[300] == 300).all() and (flux[7] == 6).all() and np.isfinite(flux).sum() == epochs * 2001


def test_zero_has_one_value(run, tmp_path, store):
    table = tmp_path / "t.csv"
    for number in ["0", "-0.0", "0"]:
        table.write_text(f"object,epoch,band,flux\nI1,gr0001,g,{number}\nI1,gr0001,g,-0\nI1,gr0001,g,0\n")
        run("lightcurve", "fill", store, table)


def test_a_conflict_at_one_of_several_epochs(run, tmp_path, store):
    """Those before it are filled, and told."""
    table = tmp_path / "t.csv"
    table.write_text("object,epoch,band,flux\nI1,gr0003,g,5\n")
    fill = ["lightcurve", "fill", store, table, "--threads", "1"]
    run(*fill)
    table.write_text("object,epoch,band,flux\n" + "".join(f"I1,gr000{k},g,7\n" for k in range(5)))
    error = failed(run, *fill).stderr
    assert "flux of object I1, epoch gr0003, measurement g is 5, and 7 is given" in error
    assert "of its other epochs 3 were filled" in error
    flux = open_xarray(store)["flux"].sel(object="I1", measurement="g").values
    np.testing.assert_array_equal(flux, [7, 7, 7, 5, np.nan, np.nan])


def test_conflicts_of_whole_numbers_are_numbers(run, tmp_path, store):
    group = zarr.open_group(store, mode="r+", use_consolidated=False)
    shape, names = (OBJECTS, EPOCHS), ["object", "epoch"]
    group.create_array(
        "n", shape=shape, chunks=(OBJECTS, 1), dtype="i4", fill_value=-1, dimension_names=names
    )
    zarr.consolidate_metadata(store)
    table = tmp_path / "t.csv"
    for value in [70000, 70001]:
        table.write_text(f"object,epoch,n\nI1,gr0003,{value}\n")
        done = run("lightcurve", "fill", store, table, check=False)
    assert "is 70000, and 70001 is given" in done.stderr


def test_values_without_a_measurement(run, tmp_path, store):
    """They are of all measurements where nothing else is given, and of those that are given where something is."""
    group = zarr.open_group(store, mode="r+", use_consolidated=False)
    shape, names = (OBJECTS, EPOCHS), ["object", "epoch"]
    group.create_array(
        "quality", shape=shape, chunks=(OBJECTS, 1), dtype="f4", fill_value=np.nan, dimension_names=names
    )
    zarr.consolidate_metadata(store)
    (tmp_path / "alone.csv").write_text("object,epoch,quality\nI1,gr0001,0.5\nI2,gr0001,\n")
    run("lightcurve", "fill", store, tmp_path / "alone.csv")
    (tmp_path / "both.csv").write_text("object,epoch,band,flux,quality\nI1,gr0002,r,5,1\nI3,gr0002,r,6,\n")
    run("lightcurve", "fill", store, tmp_path / "both.csv")
    fills = open_xarray(store, group="fills")
    recorded = ~np.isnat(fills["time"].values)
    np.testing.assert_array_equal(recorded[1:3], [[True, True], [False, True]])
    # An object counts where any array has a value of it.
    np.testing.assert_array_equal(fills["objects"].values[1:3], [[1, 1], [1, 2]])


def test_somebody_else_fills(binary, run, tmp_path, store):
    """Another process has the lock of an epoch; the others can be filled."""
    table = tmp_path / "t.csv"
    table.write_text("object,band,flux\nI1,g,5\n")
    with open(store / "fills/zarr.json", "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1, 2)
        fill = ["lightcurve", "fill", store, table]
        error = failed(run, *fill, "--at", "epoch=gr0002", "--wait", "0").stderr
        assert "somebody else fills epoch 2" in error
        run(*fill, "--at", "epoch=gr0003", "--wait", "0")
        waits = subprocess.Popen([binary, *map(str, fill), "--at", "epoch=gr0002"], stdout=subprocess.PIPE)
        time.sleep(0.2)
        assert waits.poll() is None
    assert waits.wait(20) == 0
    assert int(open_xarray(store)["flux"].notnull().sum()) == 2


def test_a_fill_that_is_stopped(binary, run, tmp_path):
    """It says what it did, leaves nothing half made that is recorded, and can be done again."""
    objects, epochs = 300_000, 60
    store, table = tmp_path / "store", tmp_path / "t.parquet"
    run("lightcurve", "create", store, "--objects", objects, "--epochs", epochs)
    o, e = (axis.ravel() for axis in np.indices((objects, epochs))[:, ::10])
    WRITERS["parquet"](table, {"object": o, "epoch": e, "flux": (o + e).astype("f4")}, {})
    fill = [binary, "lightcurve", "fill", str(store), str(table), "--threads", "1"]
    running = subprocess.Popen(fill, stderr=subprocess.PIPE, text=True)
    while not (store / "fills/time/c").exists() and running.poll() is None:
        time.sleep(0.001)
    running.send_signal(signal.SIGTERM)
    told = running.communicate(timeout=30)[1]
    fills = open_xarray(store, group="fills")
    recorded = int((~np.isnat(fills["time"].values)).sum())
    assert running.returncode == 143 and 0 < recorded < epochs, told
    assert f"stopped by SIGTERM: {recorded} epochs were filled and recorded" in told and told.count("\n") == 1
    run("lightcurve", "fill", store, table)
    flux = open_xarray(store)["flux"].values[::10, :, 0]
    np.testing.assert_array_equal(flux, np.add.outer(np.arange(0, objects, 10), np.arange(epochs)))


def flux_rows(path, objects, epochs, prefix: str = "") -> np.ndarray:
    """A table of the flux of all objects at all epochs, and the array that it makes."""
    o, e = (axis.ravel() for axis in np.indices((objects, epochs)))
    names = np.array([f"{prefix}{k}" for k in range(objects)])[o]
    values = (1000 * o + e + 1).astype("f4")
    WRITERS["parquet"](path, {"object": names, "epoch": e, "flux": values}, {})
    return values.reshape(objects, epochs)


@pytest.mark.parametrize("index", ["start", "end"])
@pytest.mark.parametrize("shard", [(8, 4), (40, 6), (16, 6)])
def test_stores_in_shards(run, tmp_path, shard, index):
    """Inner chunks that nobody fills stay as they are, and those of nothing are not stored."""
    store, names = tmp_path / "store", ["object", "epoch"]
    group = zarr.create_group(store)
    group.create_array(
        "flux",
        shape=(OBJECTS, EPOCHS),
        chunks=(4, 2),
        shards={"shape": shard, "index_location": index},
        dtype="f4",
        fill_value=np.nan,
        dimension_names=names,
    )
    expected = flux_rows(tmp_path / "rows", OBJECTS, EPOCHS)
    half = pd.read_parquet(tmp_path / "rows")
    half[half["epoch"] < 3].to_parquet(tmp_path / "half")
    run("lightcurve", "fill", store, tmp_path / "half", "--threads", "4")
    begun = open_xarray(store)["flux"].values
    np.testing.assert_array_equal(begun[:, :3], expected[:, :3])
    assert np.isnan(begun[:, 3:]).all()
    run("lightcurve", "fill", store, tmp_path / "rows", "--threads", "4", "--run", "all")
    np.testing.assert_array_equal(open_xarray(store)["flux"].values, expected)
    np.testing.assert_array_equal(open_tensorstore(store / "flux").read().result(), expected)
    assert open_xarray(store, group="fills")["objects"].values.tolist() == [OBJECTS] * EPOCHS
    again = json.loads(run("lightcurve", "fill", store, tmp_path / "rows", "--json").stdout)
    assert (again["changed_values"], again["chunks_written"]) == (0, 0)


@pytest.mark.parametrize("layout", ["object-optimized", "balanced"])
def test_every_layout_is_filled(run, tmp_path, layout):
    store = tmp_path / "store"
    run("lightcurve", "create", store, "--objects", 5000, "--epochs", 50, "--layout", layout)
    expected = flux_rows(tmp_path / "rows", 5000, 50)
    run("lightcurve", "fill", store, tmp_path / "rows")
    np.testing.assert_array_equal(open_xarray(store)["flux"].values[:, :, 0], expected)


@pytest.mark.parametrize("writer", ["xarray", "zarr"])
def test_stores_of_somebody_else(binary, run, tmp_path, writer):
    """Several processes begin to fill one that has no record: one of them makes it."""
    store, objects, epochs = tmp_path / "store", 30, 4
    names = np.array([f"I{k}" for k in range(objects)])
    if writer == "xarray":
        dataset = xr.Dataset(
            {"flux": (["object", "epoch"], np.full((objects, epochs), np.nan, dtype="f4"), {"units": "nJy"})},
            coords={"object": names, "time": ("epoch", np.arange(4.0))},
        )
        dataset.to_zarr(store, zarr_format=3, encoding={"flux": {"chunks": (objects, 1)}})
    else:
        group = zarr.create_group(store)
        options = {"dtype": "f4", "fill_value": np.nan, "dimension_names": ["object", "epoch"]}
        group.create_array("flux", shape=(objects, epochs), chunks=(objects, 2), **options)
        group.create_array("object", data=names, dimension_names=["object"])
    before = json.loads((store / "zarr.json").read_text())
    expected = flux_rows(tmp_path / "rows", objects, epochs, "I")
    rows = pd.read_parquet(tmp_path / "rows")
    running = []
    for k in range(8):
        rows[k::8].to_parquet(tmp_path / f"rows{k}")
        fill = [binary, "lightcurve", "fill", store, tmp_path / f"rows{k}", "--run", f"run {k}"]
        running.append(subprocess.Popen(fill, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    for process in running:
        assert (process.wait(30), process.stderr.read()) == (0, b"")
    after = json.loads((store / "zarr.json").read_text())
    if writer == "xarray":
        repeated = [document.pop("consolidated_metadata")["metadata"] for document in [before, after]]
        added = {name: repeated[1].pop(name) for name in list(repeated[1]) if name.startswith("fills")}
        assert len(added) == 4 and repeated[0] == repeated[1]
    assert after == before
    dataset = open_xarray(store)
    np.testing.assert_array_equal(dataset["flux"].values, expected)
    consolidated = {} if writer == "xarray" else {"consolidated": False}
    fills = xr.open_zarr(store, group="fills", **consolidated)
    assert fills["objects"].values.tolist() == [objects] * epochs
    assert "4 of 4 epochs are filled" in run("lightcurve", "info", store).stdout
    got = run("lightcurve", "get", store, "--object", "I7", "--recorded", "--format", "jsonl").stdout
    assert [json.loads(row)["flux"] for row in got.splitlines()] == expected[7].tolist()


def test_what_cannot_be_filled_is_told(run, tmp_path):
    """Zarr v2, packed numbers, and chunks that nobody wrote and that are 0."""
    names = ["object", "epoch"]
    table = tmp_path / "t.csv"
    table.write_text("object,epoch,flux\n1,1,5\n")

    def made(name: str, **options) -> zarr.Array:
        group = zarr.create_group(tmp_path / name)
        options = {"dtype": "f4", "fill_value": np.nan, "dimension_names": names, **options}
        return group.create_array("flux", shape=(3, 2), chunks=(3, 1), **options)

    values = np.full((3, 2), np.nan, dtype="f4")
    dataset = xr.Dataset({"flux": (names, values)})
    dataset.to_zarr(tmp_path / "v2", zarr_format=2)
    made("packed").attrs["scale_factor"] = 0.5
    made("zeros", fill_value=0)
    reasons = {"v2": "is not of Zarr v3", "packed": "scale_factor", "zeros": "is 0, and 5 is given"}
    for name, reason in reasons.items():
        before = tree(tmp_path / name)
        error = failed(run, "lightcurve", "fill", tmp_path / name, table).stderr
        assert reason in error, error
        left = {key: data for key, data in tree(tmp_path / name).items() if not key.startswith("fills")}
        assert left == before and (name == "zeros" or not (tmp_path / name / "fills").exists())
    # rechunk makes v3 of it.
    run("rechunk", tmp_path / "v2", tmp_path / "v3", "--chunks", "flux:3,1")
    run("lightcurve", "fill", tmp_path / "v3", table)
    assert open_xarray(tmp_path / "v3")["flux"].values[1, 1] == 5


def test_whole_numbers_of_somebody_else_stay(run, tmp_path):
    """Zeros are values before and after the record is made."""
    group = zarr.create_group(tmp_path / "store")
    options = {"shape": (2, 1), "chunks": (2, 1), "dimension_names": ["object", "epoch"]}
    group.create_array("n", dtype="i2", fill_value=0, **options)
    group.create_array("flux", dtype="f4", fill_value=np.nan, **options)
    (tmp_path / "t.csv").write_text("object,epoch,flux\n1,0,5\n")
    get = ["lightcurve", "get", tmp_path / "store", "--all", "--array", "n", "--format", "jsonl"]
    before = run(*get).stdout
    run("lightcurve", "fill", tmp_path / "store", tmp_path / "t.csv")
    assert run(*get).stdout == before and before.count('"n":0') == 2
