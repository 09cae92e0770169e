"""`zarrange lightcurve get`: what xarray reads of the same selection, as rows."""

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from compare import open_xarray

# Real ones, where the folder that has them lies beside the project.
SUPERNOVAE = Path(__file__).parents[5] / "shared" / "data" / "ztf_bts_snia.csv.gz"

OBJECTS, EPOCHS, BANDS = 60, 9, ["g", "r", "i"]
LAYOUTS = ["epoch-optimized", "object-optimized", "balanced", "time-blocks:4"]


def sky() -> tuple[np.ndarray, np.ndarray]:
    """Positions around the pole and across the beginning of right ascension."""
    rng = np.random.default_rng(5)
    return rng.uniform(-2, 2, OBJECTS) % 360, np.where(
        np.arange(OBJECTS) < 40, rng.uniform(-2, 2, OBJECTS), 89.5
    )


@pytest.fixture
def store(run, tmp_path, request):
    """A store in some layout, filled but for gaps, two epochs and what one band has of another."""
    ra, dec = sky()
    objects = pd.DataFrame({"object": [f"I{k}" for k in range(OBJECTS)], "ra": ra, "dec": dec})
    times = 59000 + 1.25 * np.arange(EPOCHS)
    epochs = pd.DataFrame({"epoch": [f"gr{k:04}" for k in range(EPOCHS)], "time": times})
    for name, table in {"objects": objects, "epochs": epochs, "bands": pd.DataFrame({"band": BANDS})}.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    path = tmp_path / "store"
    tables = [f"--{k}={tmp_path}/{v}.csv" for k, v in [("objects", "objects"), ("epochs", "epochs")]]
    run("lightcurve", "create", path, *tables, f"--measurements={tmp_path}/bands.csv")
    rng = np.random.default_rng(6)
    o, e, b = (axis.ravel() for axis in np.indices((OBJECTS, EPOCHS, len(BANDS))))
    rows = pd.DataFrame(
        {
            "object": objects["object"].to_numpy()[o],
            "epoch": epochs["epoch"].to_numpy()[e],
            "band": np.array(BANDS)[b],
            "flux": rng.normal(20, 2, o.size).astype("f4"),
            "flux_err": rng.uniform(0, 1, o.size).astype("f4"),
        }
    )
    rows = rows[(rng.random(o.size) < 0.8) & (e < EPOCHS - 2) & ~((e == 3) & (b == 1))]
    rows.to_csv(tmp_path / "rows.csv", index=False)
    run("lightcurve", "fill", path, tmp_path / "rows.csv")
    layout = getattr(request, "param", "epoch-optimized")
    if layout != "epoch-optimized":
        other = tmp_path / "other"
        specs = {
            "object-optimized": [
                "--chunks",
                "object=1,epoch=-1,measurement=-1",
                "--shards",
                "object=16,epoch=-1",
            ],
            "balanced": ["--chunks", "object=8,epoch=3,measurement=1"],
            "time-blocks:4": ["--chunks", "object=-1,epoch=4,measurement=-1"],
        }
        run("rechunk", path, other, *specs[layout])
        path = other
    return path


def rows_of(dataset: xr.Dataset) -> pd.DataFrame:
    """The rows that xarray makes of a selection, in the order of objects, epochs and measurements."""
    frame = dataset[["flux", "flux_err"]].transpose("object", "epoch", "measurement").to_dataframe()
    frame = frame.reset_index()[["object", "epoch", "time", "measurement", "flux", "flux_err"]]
    return frame.dropna(subset=["flux", "flux_err"], how="all").reset_index(drop=True)


def got(run, store, *arguments) -> pd.DataFrame:
    """The rows that the command gives."""
    text = run("lightcurve", "get", store, *arguments, "--format", "csv").stdout
    types = {"flux": "f4", "flux_err": "f4", "object": object, "epoch": object, "measurement": object}
    return pd.read_csv(io.StringIO(text), dtype=types, float_precision="round_trip")


def check(run, store, arguments: list[str], expected: xr.Dataset) -> None:
    found, expected = got(run, store, *arguments), rows_of(expected)
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("store", LAYOUTS, indirect=True)
def test_rows_are_what_xarray_reads(run, store):
    dataset = open_xarray(store).load()
    for max_mem in ["1GB", "20kB", "1"]:
        check(run, store, ["--all", "--max-mem", max_mem], dataset)
    one = ["--object", "I7"]
    check(run, store, one, dataset.sel(object=["I7"]))
    check(run, store, ["--object", "I59", "I7", "I0", "I7"], dataset.sel(object=["I0", "I7", "I59"]))
    check(run, store, ["--number", "7", "3"], dataset.isel(object=[3, 7]))
    check(run, store, [*one, "--measurement", "i", "g"], dataset.sel(object=["I7"], measurement=["g", "i"]))
    check(
        run,
        store,
        [*one, "--epoch", "gr0005", "gr0002"],
        dataset.sel(object=["I7"], epoch=["gr0002", "gr0005"]),
    )
    window = (dataset["time"] >= 59001.25) & (dataset["time"] <= 59005)
    check(run, store, ["--all", "--from", "59001.25", "--to", "59005"], dataset.isel(epoch=window.values))
    empty = got(run, store, *one, "--epoch", "gr0008")
    assert empty.empty and list(empty.columns) == list(rows_of(dataset).columns)


def test_gaps_are_kept_or_dropped(run, store):
    dataset = open_xarray(store).load()
    kept = got(run, store, "--object", "I7", "--gaps")
    assert len(kept) == EPOCHS * len(BANDS)
    values = dataset["flux"].sel(object="I7").transpose("epoch", "measurement").values.ravel()
    np.testing.assert_array_equal(kept["flux"].to_numpy("f4"), values)


def test_what_is_not_recorded_can_be_hidden(run, store):
    """A writer that was killed leaves values without a record."""
    group = zarr.open_group(store, mode="r+")
    group["fills/time"][4, 1] = np.nan
    dataset = open_xarray(store).load()
    check(run, store, ["--all"], dataset)
    hidden = dataset.copy(deep=True)
    for name in ["flux", "flux_err"]:
        hidden[name].loc[{"epoch": "gr0004", "measurement": "r"}] = np.nan
    check(run, store, ["--all", "--recorded"], hidden)


def test_positions_on_the_sky(run, store):
    """Cones and boxes across the beginning of right ascension and around the pole, as by vectors."""
    ra, dec = np.radians(sky())

    def vectors(ra, dec):
        return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])

    names = np.array([f"I{k}" for k in range(OBJECTS)])
    for cone in [(0, 0, 1), (359.5, 0.5, 1.2), (180, 90, 0.6), (90, 89, 1.1), (5, 0, 0.001), (17, -3, 180)]:
        centre = vectors(np.radians(cone[0]), np.radians(cone[1]))
        inside = np.degrees(np.arccos(np.clip(centre @ vectors(ra, dec), -1, 1))) <= cone[2]
        found = got(run, store, "--cone", ",".join(map(str, cone)), "--gaps")
        assert set(found["object"]) == set(names[inside]), cone
    minutes = got(run, store, "--cone", "0,0,60arcmin")
    pd.testing.assert_frame_equal(minutes, got(run, store, "--cone", "0,0,3600arcsec"))
    pd.testing.assert_frame_equal(minutes, got(run, store, "--cone", "360,0,1"))
    ra, dec = np.degrees(ra), np.degrees(dec)
    for box in [(0, 1, -1, 1), (359.5, 0.5, -2, 2), (359, 361, -1, 0), (0, 360, 89, 90), (-1, 1, -1, 1)]:
        east = (ra - box[0]) % 360 <= (box[1] - box[0]) % 360
        inside = (east | (box[1] - box[0] >= 360)) & (dec >= box[2]) & (dec <= box[3])
        found = got(run, store, f"--box={','.join(map(str, box))}", "--gaps")
        assert set(found["object"]) == set(names[inside]), box


def test_files_and_formats(run, store, tmp_path):
    dataset = open_xarray(store).load()
    (tmp_path / "names.txt").write_text("I3\n\nI9\n")
    names = ["--objects-from", tmp_path / "names.txt"]
    expected = rows_of(dataset.sel(object=["I3", "I9"]))
    for kind in ["csv", "json", "jsonl"]:
        out = tmp_path / f"rows.{kind}"
        run("lightcurve", "get", store, *names, "--out", out)
        if kind == "csv":
            found = pd.read_csv(out, float_precision="round_trip")
        else:
            text = out.read_text()
            found = pd.DataFrame(json.loads(text) if kind == "json" else map(json.loads, text.splitlines()))
        found = found.astype({"flux": "f4", "flux_err": "f4"})
        pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)
    table = run("lightcurve", "get", store, "--object", "I3").stdout
    assert "flux_err" in table and table.count("I3") == len(rows_of(dataset.sel(object=["I3"])))
    for wrong, reason in [
        (["--object", "I60"], 'there is no object "I60": there are 60'),
        (["--number", "60"], "object 60 is out of range"),
        (["--object", "I3", "--measurement", "z"], 'no measurement "z"'),
        (["--object", "I3", "--array", "mag"], 'no array of values "mag"'),
        (["--object", "I3", "--out", tmp_path / "rows.xyz"], "--format"),
    ]:
        failed = run("lightcurve", "get", store, *wrong, check=False)
        assert failed.returncode == 1 and reason in failed.stderr, failed


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_columns_and_lists(run, store, tmp_path, kind):
    """Parquet and Arrow, a row for each measurement, or one for each object with its light curve in a list."""

    def table(*arguments) -> pa.Table:
        path = tmp_path / f"rows.{kind}"
        run("lightcurve", "get", store, "--all", "--max-mem", "50kB", *arguments, "--out", path)
        read = pq.read_table(path) if kind == "parquet" else pa.ipc.open_file(path).read_all()
        read.validate(full=True)
        return read

    expected = rows_of(open_xarray(store).load())
    long = table()
    assert long.schema.field("flux").type == pa.float32() and long.schema.field("time").type == pa.float64()
    pd.testing.assert_frame_equal(long.to_pandas(), expected, check_exact=True, check_dtype=False)
    nested = table("--nested", "curve")
    assert nested.column_names == ["object", "curve"] and len(nested) == OBJECTS
    # The same rows when the lists are taken apart.
    lengths = pc.list_value_length(nested["curve"]).to_numpy()
    parts = pa.Table.from_struct_array(pc.list_flatten(nested["curve"]).combine_chunks()).to_pandas()
    parts.insert(0, "object", np.repeat(nested["object"].to_numpy(zero_copy_only=False), lengths))
    pd.testing.assert_frame_equal(parts, expected, check_exact=True, check_dtype=False)
    assert (lengths == 0).sum() == OBJECTS - expected["object"].nunique()
    # What was written can be filled again.
    done = run("lightcurve", "fill", store, tmp_path / f"rows.{kind}", check=False)
    assert (done.returncode == 0 and " 0 new values" in done.stdout) or kind == "arrow", done


def test_a_light_curve_is_drawn(run, store, tmp_path):
    """A marker for each value; magnitudes, phases, and what cannot be drawn."""
    svg, png = tmp_path / "curve.svg", tmp_path / "curve.png"
    one = ["lightcurve", "get", store, "--object", "I7"]
    values = int(open_xarray(store)["flux"].sel(object="I7").notnull().sum())
    run(*one, "--plot", svg)
    drawn = ElementTree.fromstring(svg.read_bytes())
    text = " ".join(element.text or "" for element in drawn.iter())
    assert "I7" in text and all(f" {band} " in f" {text} " for band in BANDS)
    run(*one, "--plot", png)
    assert png.read_bytes().startswith(b"\x89PNG\r\n") and len(png.read_bytes()) > 5000
    run(*one, "--plot", svg, "--fold", "2.5")
    assert "phase, P = 2.5 d" in svg.read_text() and values > 0
    for wrong, reason in {"curve.pdf": "an .svg or a .png", "curve.svg": "one object"}.items():
        arguments = [*one, "I8"] if reason == "one object" else one
        failed = run(*arguments, "--plot", tmp_path / wrong, check=False)
        assert failed.returncode == 1 and reason in failed.stderr, failed


def test_the_store_of_somebody_else(run, tmp_path):
    """What xarray writes: labels of fixed length, another order, flags, and arrays that are no values."""
    times = np.arange(4.0)
    dataset = xr.Dataset(
        {
            "mag": (["epoch", "object"], np.arange(12, dtype="f8").reshape(4, 3), {"units": "mag"}),
            "quality": (
                ["epoch", "object"],
                np.array([[0, 1, 2]] * 4, dtype="i2"),
                {"flag_values": [0, 1], "flag_meanings": "good saturated"},
            ),
        },
        coords={"object": ["a", "bé", "c"], "time": ("epoch", times), "ra": ("object", [10.0, 20, 30])},
    )
    dataset["quality"].encoding["_FillValue"] = -1
    dataset.to_zarr(tmp_path / "store", zarr_format=3, consolidated=False)
    found = run("lightcurve", "get", tmp_path / "store", "--object", "bé", "--format", "jsonl").stdout
    rows = [json.loads(line) for line in found.splitlines()]
    assert rows[1] == {"object": "bé", "epoch": 1, "time": 1.0, "mag": 4.0, "quality": "saturated"}
    assert len(rows) == 4
    assert json.loads(
        run(
            "lightcurve", "get", tmp_path / "store", "--number", "2", "--epoch", "0", "--format", "jsonl"
        ).stdout
    ) == {"object": "c", "epoch": 0, "time": 0.0, "mag": 2.0, "quality": "2"}


def test_what_would_be_read_wrong_is_refused(run, tmp_path):
    """Packed numbers, two kinds of epochs, types that are no numbers; zeros are values."""
    values = np.arange(6).reshape(3, 2)
    root = zarr.create_group(tmp_path / "store")
    names = ["object", "epoch"]
    root.create_array("count", data=values.astype("i4") % 2, dimension_names=names)
    root.create_array("object", data=np.array([2**63 + 5, 1, 2], dtype="u8"), dimension_names=["object"])
    root.create_array("both", data=np.zeros((3, 2, 4)), dimension_names=["object", "epoch", "sequence"])
    found = run("lightcurve", "get", tmp_path / "store", "--all", "--format", "jsonl").stdout
    rows = [json.loads(line) for line in found.splitlines()]
    assert [row["count"] for row in rows] == [0, 1] * 3 and rows[0]["object"] == str(2**63 + 5)
    assert "both" in run("lightcurve", "info", tmp_path / "store").stdout
    recorded = run("lightcurve", "get", tmp_path / "store", "--all", "--recorded", check=False)
    assert recorded.returncode == 1 and "no record" in recorded.stderr
    packed = root.create_array("packed", data=values.astype("i2"), dimension_names=names)
    packed.attrs["scale_factor"] = 0.5
    failed = run("lightcurve", "get", tmp_path / "store", "--all", check=False)
    assert failed.returncode == 1 and "scale_factor" in failed.stderr
    run("lightcurve", "get", tmp_path / "store", "--all", "--array", "count")
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert (
        run(
            "lightcurve", "get", tmp_path / "store", "--all", "--nested", "--out", kept, check=False
        ).returncode
        == 1
    )
    assert kept.read_text() == "mine"


def test_dates_and_small_floats(run, tmp_path):
    """Dates of numpy are days as times, and text as labels; floats of 16 bits are numbers as others."""
    dates = np.array(["2020-02-29T12:00", "2021-01-01T00:00", "NaT"], dtype="M8[ns]")
    store = tmp_path / "store"
    root = zarr.create_group(store)
    names = ["object", "epoch"]
    values = np.array([[0.1, np.inf, -65504], [6e-8, np.nan, -0.0]], dtype="f2")
    root.create_array("flux", data=np.arange(6, dtype="f4").reshape(2, 3), dimension_names=names)
    root.create_array("half", data=values, dimension_names=names)
    root.create_array("time", data=dates, dimension_names=["epoch"])
    root.create_array("epoch", data=dates.astype("M8[D]"), dimension_names=["epoch"])
    root.create_array("complex", data=np.zeros((2, 3), dtype="c8"), dimension_names=names)
    get = ["lightcurve", "get", store, "--all", "--format", "jsonl"]
    done = run(*get)
    assert "complex is left out" in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["epoch"] for row in rows[:3]] == ["2020-02-29", "2021-01-01", ""]
    assert [row["time"] for row in rows[:3]] == [58908.5, 59215, None]
    run(*get[:-2], "--out", tmp_path / "rows.parquet")
    found = pq.read_table(tmp_path / "rows.parquet")["half"].to_numpy()
    np.testing.assert_array_equal(found, values.ravel().astype("f4"))
    late = run(*get, "--from", "59000", "--to", "60000").stdout.splitlines()
    assert [json.loads(line)["flux"] for line in late] == [1, 4]
    one = run(*get, "--epoch", "2020-02-29").stdout.splitlines()
    assert [json.loads(line)["flux"] for line in one] == [0, 3]


def test_names_that_are_there_twice(run, store, tmp_path):
    one = ["lightcurve", "get", store, "--object", "I7", "--format", "jsonl"]
    twice = run(*one, "--array", "flux", "flux").stdout
    assert twice == run(*one, "--array", "flux").stdout and twice.count("flux") == len(twice.splitlines())
    kept = tmp_path / "kept.jsonl"
    kept.write_text("mine")
    done = run(*one, "--nested", "object", "--out", kept, check=False)
    assert done.returncode == 1 and 'called "object"' in done.stderr and kept.read_text() == "mine"


def test_phases_begin_where_it_is_said(run, store, tmp_path):
    """At the first value that is drawn, or at a time."""
    svg = tmp_path / "curve.svg"
    one = ["lightcurve", "get", store, "--object", "I7", "--array", "flux", "--plot", svg, "--fold", "2.5"]
    curve = open_xarray(store)["flux"].sel(object="I7")
    first = float(curve.dropna("epoch", how="all")["time"].min())
    pictures = []
    for zero in [[], ["--phase-zero", first], ["--phase-zero", first + 2.5], ["--phase-zero", first - 1]]:
        run(*one, *zero)
        pictures.append(re.sub("<desc>.*</desc>", "", svg.read_text()))
    assert pictures[0] == pictures[1] == pictures[2] != pictures[3]
    assert run(*one[:-2], "--phase-zero", "1", check=False).returncode == 2


@pytest.mark.parametrize("empty", ["object", "epoch", "measurement"])
def test_dimensions_of_nothing(run, tmp_path, empty):
    sizes = {"object": 2, "epoch": 3, "measurement": 2, empty: 0}
    root = zarr.create_group(tmp_path / "store")
    for name, dimensions in {"flux": list(sizes), "n": ["object", "epoch"]}.items():
        shape = tuple(sizes[dimension] for dimension in dimensions)
        root.create_array(name, shape=shape, dtype="f4", fill_value=np.nan, dimension_names=dimensions)
    assert (
        run("lightcurve", "get", tmp_path / "store", "--all", "--gaps", "--format", "csv").stdout.count("\n")
        == 1
    )
    run("lightcurve", "info", tmp_path / "store")
    new = [f"--{name}s={size}" for name, size in sizes.items()]
    done = run("lightcurve", "create", tmp_path / "new", *new, check=False)
    assert "panicked" not in done.stderr
    for store in ["store", "new"]:
        for header in ["object,epoch,measurement,flux", "object,epoch,n"]:
            (tmp_path / "t.csv").write_text(header + "\n" + ",".join("0" * (header.count(",") + 1)) + "\n")
            done = run("lightcurve", "fill", tmp_path / store, tmp_path / "t.csv", check=False)
            assert done.returncode in [0, 1] and "panicked" not in done.stderr, done


@pytest.mark.skipif(not SUPERNOVAE.exists(), reason="the supernovae are not part of the project")
def test_real_supernovae_come_back(run, tmp_path):
    """Every measurement of the table, with all its digits."""
    run("lightcurve", "ingest", SUPERNOVAE, tmp_path / "store")
    run("lightcurve", "get", tmp_path / "store", "--all", "--out", tmp_path / "rows.csv")
    columns = ["object_id", "time", "band", "mag", "magerr"]
    text = {name: str for name in columns}
    found = pd.read_csv(tmp_path / "rows.csv", dtype=str).rename(columns={"object": "object_id"})[columns]
    expected = pd.read_csv(SUPERNOVAE, dtype=text)[columns]
    assert len(found) == len(expected) > 40_000
    numbers = ["time", "mag", "magerr"]
    for rows in [found, expected]:
        rows[numbers] = rows[numbers].astype(float)
    order = ["object_id", *numbers, "band"]
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True),
        expected.sort_values(order, ignore_index=True),
        check_exact=True,
    )
    # They become arrays by object and sequence that xarray reads.
    dataset = open_xarray(tmp_path / "store")
    assert int(dataset["mag"].notnull().sum()) == int(expected["mag"].notnull().sum())
