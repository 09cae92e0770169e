"""`zarrange lightcurve fill` of stores by object and sequence: nights are added once, as xarray reads them."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from compare import open_xarray

# Real ones, where the folder that has them lies beside the project.
SUPERNOVAE = Path(__file__).parents[5] / "shared" / "data" / "ztf_bts_snia.csv.gz"

COLUMNS = ["object_id", "time", "band", "mag", "magerr"]


def made_up() -> pd.DataFrame:
    """Measurements in no order, some without an error; of each object another number."""
    rng = np.random.default_rng(11)
    objects = np.repeat(np.arange(30), rng.integers(1, 40, 30))
    count = len(objects)
    rows = pd.DataFrame(
        {
            "object_id": [f"I{k}" for k in objects],
            "time": np.round(rng.uniform(59000, 59100, count), 6),
            "band": rng.choice(["g", "r", "Kₛ 2"], count),
            "mag": np.round(rng.uniform(14, 20, count), 3),
            "magerr": np.where(rng.random(count) < 0.1, np.nan, np.round(rng.uniform(0.01, 0.3, count), 4)),
        }
    )
    return rows.sample(frac=1, random_state=3, ignore_index=True)


def supernovae() -> pd.DataFrame:
    return pd.read_csv(SUPERNOVAE, dtype={"object_id": str, "band": str})[COLUMNS]


TABLES = {
    "made up": made_up,
    "supernovae": pytest.param(
        supernovae,
        marks=pytest.mark.skipif(not SUPERNOVAE.exists(), reason="they are not part of the project"),
    ),
}
# Chunks as a telescope writes them, and as objects are read.
LAYOUTS = {"by epoch": [], "by object": ["--chunks", "7,16"]}


def parts(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The first half of each object, and the rest in two nights: the second one has earlier rows than the first."""
    by_time = rows.sort_values("time", kind="stable")
    place = by_time.groupby("object_id").cumcount()
    half = by_time.groupby("object_id")["time"].transform("size").add(1) // 2
    rest = by_time[place >= half]
    later = np.arange(len(rest)) % 3 != 0
    return [by_time[place < half].sample(frac=1, random_state=1), rest[later], rest[~later]]


def write(path: Path, rows: pd.DataFrame) -> Path:
    rows.to_csv(path, index=False)
    return path


def fill(run, store, *tables, **options) -> dict:
    done = run("lightcurve", "fill", store, *tables, "--json", **options)
    return json.loads(done.stdout)


def got(run, store) -> pd.DataFrame:
    """What `get` has, in its order."""
    text = run("lightcurve", "get", store, "--all", "--format", "jsonl").stdout
    found = pd.DataFrame([json.loads(line) for line in text.splitlines()])
    return found.rename(columns={"object": "object_id"})[COLUMNS]


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """The same rows, in whatever order."""

    def ordered(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.astype({"time": float, "mag": float, "magerr": float})
        return rows.sort_values(COLUMNS, ignore_index=True)

    pd.testing.assert_frame_equal(ordered(found), ordered(expected), check_exact=True, check_dtype=False)


def shown(store) -> pd.DataFrame:
    """What xarray has, as rows, where there is a time."""
    dataset = open_xarray(store)
    there = dataset["time"].notnull().values
    # Behind the last observation of an object there is nothing.
    assert (np.diff(there.astype(int), axis=1) <= 0).all()
    for name, nothing in {"mag": np.nan, "magerr": np.nan, "band": 255}.items():
        padding = dataset[name].values[~there].astype(float)
        np.testing.assert_array_equal(padding, np.full(padding.shape, nothing))
    objects = np.broadcast_to(dataset["object_id"].values[:, None], there.shape)
    bands = np.array(dataset["band"].attrs["bands"], dtype=object)
    columns = {name: dataset[name].values[there] for name in ["time", "mag", "magerr"]}
    codes = dataset["band"].values[there].astype(int)
    return pd.DataFrame({"object_id": objects[there], "band": bands[codes], **columns})[COLUMNS]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_nights_become_what_one_table_is(run, tmp_path, table, layout):
    rows = table()
    first, *nights = parts(rows)
    run("lightcurve", "ingest", write(tmp_path / "first.csv", first), tmp_path / "store", *LAYOUTS[layout])
    run("lightcurve", "ingest", write(tmp_path / "all.csv", rows), tmp_path / "whole")
    tables = [write(tmp_path / f"night{k}.csv", night) for k, night in enumerate(nights)]
    for night, path in zip(nights, tables, strict=True):
        done = fill(run, tmp_path / "store", path)
        assert (done["rows"], done["added"], done["rejected_rows"]) == (len(night), len(night), 0)
        assert done["epochs"] == 0 and done["changed_values"] > 3 * len(night)
    # Nothing of it is added twice.
    again = fill(run, tmp_path / "store", tmp_path / "first.csv", *tables, tmp_path / "all.csv")
    assert (again["rows"], again["added"]) == (2 * len(rows), 0)
    assert (again["changed_values"], again["chunks_written"]) == (0, 0)
    found = got(run, tmp_path / "store")
    same(found, rows)
    for _, curve in found.groupby("object_id"):
        assert curve["time"].is_monotonic_increasing
    same(shown(tmp_path / "store"), shown(tmp_path / "whole"))
    whole, store = (dict(open_xarray(tmp_path / name).sizes) for name in ["whole", "store"])
    assert whole == store
    # Also array by array, without the consolidated metadata.
    group = zarr.open_group(tmp_path / "store", use_consolidated=False)
    assert {array.shape[1] for name, array in group.arrays() if name != "object_id"} == {whole["sequence"]}


@pytest.fixture
def store(run, tmp_path):
    rows = "object_id,time,band,mag,magerr\nI1,1,g,10,0.1\nI2,1,g,20,0.1\n"
    (tmp_path / "first.csv").write_text(rows)
    run("lightcurve", "ingest", tmp_path / "first.csv", tmp_path / "store")
    return tmp_path / "store"


def test_columns_are_told(run, tmp_path, store):
    """Names of their own, a band for all rows, and a column that the store does not have."""
    table = tmp_path / "night.csv"
    table.write_text("ID,MJD,MAGPSF,quality\nI1,2.5,11,3\nI2,3.5,,4\n")
    columns = ["--columns", "object=ID", "time=MJD", "mag=MAGPSF"]
    run("lightcurve", "fill", store, table, *columns, "--at", "band=r")
    expected = [["I1", 1, "g", 10, 0.1], ["I1", 2.5, "r", 11, None], ["I2", 1, "g", 20, 0.1]]
    same(got(run, store), pd.DataFrame([*expected, ["I2", 3.5, "r", None, None]], columns=COLUMNS))
    for wrong, reason in {
        ("--at", "band=r", "band=g"): "told twice",
        ("--at", "object=I1"): "cannot be the same in all rows",
        ("--at", "band=r", "--columns", "object=ID", "mag=MAG"): 'no column "MAG"',
        ("--at", "band=r", "--columns", "sequence=MJD"): "follows from its time",
        ("--at", "band=r", "--columns", "object=ID", "time=MJD"): "array of values (mag, magerr)",
        tuple(columns): "say it for all with band=NAME",
    }.items():
        done = run("lightcurve", "fill", store, table, *wrong, check=False)
        assert done.returncode == 1 and reason in done.stderr, (wrong, done.stderr)


def test_what_cannot_be_added_is_told(run, tmp_path, store):
    table, rejected = tmp_path / "night.csv", tmp_path / "rejected.csv"
    rows = ["I1,1,g,11,0.1", "I9,2,g,1,1", "I1,2,g,12,0.1", "I1,2,g,13,0.1", "I1,3,g,bright,1"]
    table.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    done = run("lightcurve", "fill", store, table, check=False)
    assert done.returncode == 1
    assert "1 rows with 1 new observations, 4 new values, 4 rows rejected" in done.stdout
    assert "mag of this observation is 10, and 11 is given" in done.stderr
    assert f"mag is 13, and was given before as 12 ({table}, line 4)" in done.stderr
    run("lightcurve", "fill", store, table, "--rejected", rejected)
    assert set(pd.read_csv(rejected)["place"]) == {"line 2", "line 3", "line 5", "line 6"}
    # What differs is replaced if that is asked for, and what is nearly at the same time is the same if that is said.
    table.write_text(f"{','.join(COLUMNS)}\nI1,1,g,11,\nI1,2.001,g,14,0.1\n")
    assert fill(run, store, table, "--replace", "--tolerance", "0.01")["added"] == 0
    same(
        got(run, store),
        pd.DataFrame(
            [["I1", 1, "g", 11, 0.1], ["I1", 2, "g", 14, 0.1], ["I2", 1, "g", 20, 0.1]], columns=COLUMNS
        ),
    )


def test_a_table_that_breaks_off_adds_nothing(run, tmp_path, store):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv.gz"
    good.write_text(f"{','.join(COLUMNS)}\nI1,5,g,11,0.1\n")
    subprocess.run(["gzip", "-k", good], check=True)
    bad.write_bytes((tmp_path / "good.csv.gz").read_bytes()[:-6])
    done = run("lightcurve", "fill", store, good, bad, check=False)
    assert done.returncode == 1 and "bad.csv.gz" in done.stderr
    assert len(got(run, store)) == 3


@pytest.mark.parametrize("size", ["20MB", "200MB"])
def test_within_the_memory(run, tmp_path, size):
    """A large night for many objects, in as many passes as the memory takes; the chunks of a place are of all objects."""
    objects = 60_000
    names = np.array([f"I{k}" for k in range(objects)])
    rows = pd.DataFrame({"object_id": names, "time": 1.5, "band": "g", "mag": 1.0, "magerr": 0.5})
    run("lightcurve", "ingest", write(tmp_path / "first.csv", rows), tmp_path / "store")
    night = pd.concat([rows.assign(time=2.5 + k, mag=k) for k in range(5)])
    done = fill(run, tmp_path / "store", write(tmp_path / "night.csv", night), "--max-mem", size)
    assert done["added"] == 5 * objects
    assert done["peak_resident_bytes"] < int(size[:-2]) * 10**6 + (64 << 20)
    dataset = open_xarray(tmp_path / "store")
    assert dict(dataset.sizes) == {"object": objects, "sequence": 6}
    np.testing.assert_array_equal(dataset["time"].values, np.tile(np.arange(6) + 1.5, (objects, 1)))
    assert fill(run, tmp_path / "store", tmp_path / "night.csv", "--max-mem", size)["added"] == 0


def test_several_at_once(run, binary, tmp_path, store):
    """Each adds a night of its own, with new bands; nothing is lost, and xarray opens it meanwhile."""
    nights = []
    for k in range(6):
        rows = [[f"I{1 + n % 2}", 10 + k + n / 100, f"own{k}", k, 0.1] for n in range(20)]
        nights.append(write(tmp_path / f"night{k}.csv", pd.DataFrame(rows, columns=COLUMNS)))
    # From then on xarray opens it by one document.
    run("lightcurve", "fill", store, nights[0])
    running = [subprocess.Popen([binary, "lightcurve", "fill", store, night]) for night in nights]
    while any(process.poll() is None for process in running):
        run("lightcurve", "info", store)
        open_xarray(store).load()
    assert [process.wait() for process in running] == [0] * 6
    expected = [pd.read_csv(path, dtype={"object_id": str}) for path in [tmp_path / "first.csv", *nights]]
    same(got(run, store), pd.concat(expected))
    same(shown(store), pd.concat(expected))
