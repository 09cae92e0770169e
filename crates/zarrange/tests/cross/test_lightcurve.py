"""`zarrange lightcurve ingest`: every row of a table comes back exactly, and everything else is padding."""

import csv
import gzip
import math
from collections import Counter

import numpy as np
import pytest
import zarr
from support import ALLOWANCE, assert_same, check_array, measured, open_tensorstore, stored

HEADER = ["object_id", "time", "band", "mag", "magerr"]

# Measurements of each object, in an order that is not that of the names.
LENGTHS = {"ZTF18abc": 5, "a": 1, "größe": 9, "7": 3, "with space": 4}
BANDS = ["g", "r", "z", "Kₛ"]


def table():
    """Rows in an order that mixes objects and times, in shortest decimal form; some without mag or magerr."""
    rows = []
    for number, (name, length) in enumerate(LENGTHS.items()):
        for k in range(length):
            x = 1000 * number + k
            # Two measurements at one time, in two bands.
            time = 58000.0 + (x - x % 2) / 7
            mag = math.nan if x % 5 == 3 else 15 + x / 3
            magerr = math.nan if x % 7 == 2 else 1 / (x + 3)
            rows.append((name, time, BANDS[(x + x // 3) % len(BANDS)], mag, magerr))
    return [rows[k * 5 % len(rows)] for k in range(len(rows))]


def write_csv(path, rows, columns=HEADER, compress=gzip.compress):
    fields = [dict(zip(HEADER, row, strict=True)) for row in rows]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in fields:
            values = [row[c] for c in columns]
            writer.writerow(["" if v != v else repr(v) if isinstance(v, float) else v for v in values])
    if path.suffix == ".gz":
        path.write_bytes(compress(path.read_bytes()))
    return path


def read_rows(path):
    """The rows that are stored, in the order of the arrays, after a look at the padding."""
    root = zarr.open_group(path, mode="r")
    names = root["object_id"][:].tolist()
    time, band, mag, magerr = (root[name][...] for name in HEADER[1:])
    assert {a.shape for a in (time, band, mag, magerr)} == {(len(names), time.shape[1])}
    meanings = root["band"].attrs["flag_meanings"].split()
    # A word each, whatever the bands are called.
    assert meanings == ["_".join(band.split()) or "_" for band in root["band"].attrs["bands"]]
    assert root["band"].attrs["flag_values"] == list(range(len(meanings)))
    padding = band == 255
    assert (padding == np.isnan(time)).all()
    for array in (mag, magerr):
        assert np.isnan(array[padding]).all()
    rows = []
    for k, name in enumerate(names):
        n = int((~padding[k]).sum())
        # Measurements first, in the order of time, then nothing but padding.
        assert not padding[k, :n].any()
        assert (np.diff(time[k, :n]) >= 0).all()
        rows += [(name, time[k, i], meanings[band[k, i]], mag[k, i], magerr[k, i]) for i in range(n)]
    return rows


def counted(rows):
    """Rows without their order; NaN counts as one value."""
    return Counter(tuple(None if v != v else v for v in row) for row in rows)


def check(run, path, out, rows, *args):
    report = run("lightcurve", "ingest", path, out, "--json", *args).json
    objects = list(dict.fromkeys(row[0] for row in rows))
    longest = max(Counter(row[0] for row in rows).values())
    sizes = [report[name] for name in ("objects", "sequence", "measurements")]
    assert sizes == [len(objects), longest, len(rows)]
    assert report["bands"] == list(dict.fromkeys(row[2] for row in rows))
    assert counted(read_rows(out)) == counted(rows)
    # Objects in the order in which the table names them first.
    assert zarr.open_array(out / "object_id", mode="r")[:].tolist() == objects


def multi_member(data: bytes) -> bytes:
    """As `bgzip` and `cat a.gz b.gz` leave it."""
    middle = len(data) // 2
    return gzip.compress(data[:middle]) + gzip.compress(b"") + gzip.compress(data[middle:])


TABLES = {
    "csv": {"name": "t.csv"},
    "gzip": {"name": "t.csv.gz"},
    "gzip-members": {"name": "t.csv.gz", "compress": multi_member},
    "columns": {"name": "t.csv", "columns": ["mag", "band", "object_id", "magerr", "time"]},
}


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES.keys())
def test_every_row_comes_back(run, tmp_path, case):
    options = dict(case)
    path = write_csv(tmp_path / options.pop("name"), table(), **options)
    check(run, path, tmp_path / "out.zarr", table())


def test_columns_that_are_not_asked_for_are_left_out(run, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('flag,object_id,time,note,band,mag,magerr\n9,a,1.5,"x, y",g,2.5,0.125\n8,a,0.5,,r,,\n')
    rows = [("a", 1.5, "g", 2.5, 0.125), ("a", 0.5, "r", math.nan, math.nan)]
    check(run, path, tmp_path / "out.zarr", rows)


def test_one_row(run, tmp_path):
    path = write_csv(tmp_path / "t.csv", table()[:1])
    check(run, path, tmp_path / "out.zarr", table()[:1])


def test_numbers_of_every_kind(run, tmp_path):
    largest, smallest = 1.7976931348623157e308, 2.2250738585072014e-308
    numbers = [0.1, -0.0, 5e-324, largest, smallest, -1e-7, 123456789.12345679, math.inf]
    rows = [("a", float(k), "g", x, -x) for k, x in enumerate(numbers)]
    path = write_csv(tmp_path / "t.csv", rows)
    check(run, path, tmp_path / "out.zarr", rows)
    mag = zarr.open_array(tmp_path / "out.zarr/mag", mode="r")[0]
    assert_same(mag, np.array(numbers), "mag, to the sign of zero")


def test_many_bands(run, tmp_path):
    rows = [(str(k % 3), float(k), f"band{k}", k / 7, k / 9) for k in range(255)]
    path = write_csv(tmp_path / "t.csv", rows)
    check(run, path, tmp_path / "out.zarr", rows)


def test_what_is_stored(run, tmp_path):
    out = tmp_path / "out.zarr"
    run("lightcurve", "ingest", write_csv(tmp_path / "t.csv", table()), out)
    root = zarr.open_group(out, mode="r")
    types = {"object_id": "string", "time": "float64", "band": "uint8", "mag": "float64", "magerr": "float64"}
    assert {name: array.metadata.data_type.to_json(3) for name, array in root.arrays()} == types
    assert root["object_id"].metadata.dimension_names == ("object",)
    for name in HEADER[1:]:
        array = root[name]
        assert array.metadata.dimension_names == ("object", "sequence")
        assert array.chunks == (5, 1)
        assert_same(array.fill_value, np.array(255, "u1") if name == "band" else np.array(np.nan), name)
        assert_same(open_tensorstore(out / name).read().result(), array[...], name)


def test_chunks(run, tmp_path):
    out = tmp_path / "out.zarr"
    specs = ["--chunks", "object=2,sequence=3", "mag:1,-1"]
    check(run, write_csv(tmp_path / "t.csv", table()), out, table(), *specs)
    root = zarr.open_group(out, mode="r")
    assert {name: root[name].chunks for name in HEADER[1:]} == {
        "time": (2, 3), "band": (2, 3), "mag": (1, 9), "magerr": (2, 3)
    }  # fmt: skip
    # One object has nine measurements, the others few: chunks of only padding are not stored.
    assert len(stored(out / "time")) < 3 * 3


def test_ingested_light_curves_can_be_rechunked(run, tmp_path):
    out, dst = tmp_path / "out.zarr", tmp_path / "by-object.zarr"
    run("lightcurve", "ingest", write_csv(tmp_path / "t.csv", table()), out)
    specs = [f"{name}:object=1,sequence=-1" for name in HEADER[1:]]
    run("rechunk", out, dst, "--chunks", *specs)
    assert counted(read_rows(dst)) == counted(table())
    names = ("object", "sequence")
    attributes = {"units": "mag"}
    mag = zarr.open_array(out / "mag", mode="r")[...]
    check_array(dst / "mag", mag, chunks=(1, 9), fill=np.nan, names=names, attributes=attributes)
    run("verify", out, dst)


BAD = {
    "no-column": ("object_id,time,band,mag\na,1,g,2\n", ["magerr"]),
    "no-rows": ("object_id,time,band,mag,magerr\n", []),
    "nothing": ("", []),
    "time": ("object_id,time,band,mag,magerr\na,1,g,2,3\na,soon,g,2,3\n", ["line 3", "time", "soon"]),
    "mag": ("object_id,time,band,mag,magerr\na,1,g,bright,3\n", ["line 2", "mag", "bright"]),
    "short-row": ("object_id,time,band,mag,magerr\na,1,g,2,3\na,1,g\n", ["3"]),
    "bands": (
        "object_id,time,band,mag,magerr\n" + "".join(f"a,{k},b{k},1,1\n" for k in range(256)),
        ["255"],
    ),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_table(run, tmp_path, case):
    text, parts = case
    path, out = tmp_path / "t.csv", tmp_path / "out.zarr"
    path.write_text(text)
    check_refused(run, path, out, parts)


def test_a_truncated_gzip(run, tmp_path):
    path = write_csv(tmp_path / "t.csv.gz", table())
    path.write_bytes(path.read_bytes()[:-20])
    check_refused(run, path, tmp_path / "out.zarr", [])


def test_too_little_memory(run, tmp_path):
    path = write_csv(tmp_path / "t.csv", table())
    check_refused(run, path, tmp_path / "out.zarr", ["100"], "--max-mem", 100)


def check_refused(run, path, out, parts, *args):
    done = run("lightcurve", "ingest", path, out, *args, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("zarrange: ") and done.stderr.count("\n") == 1
    for part in [str(path), *parts]:
        assert part in done.stderr
    assert list(path.parent.iterdir()) == [path]


def test_an_existing_target_is_kept_unless_it_may_be_replaced(run, tmp_path):
    path, out = write_csv(tmp_path / "t.csv", table()), tmp_path / "out.zarr"
    zarr.create_array(out, data=np.arange(5))
    done = run("lightcurve", "ingest", path, out, check=False)
    assert done.returncode == 1 and str(out) in done.stderr
    assert zarr.open_array(out, mode="r")[:].tolist() == list(range(5))
    check(run, path, out, table(), "--overwrite")


def rows_of(kind):
    """Lines of a table."""
    yield "object_id,time,band,mag,magerr\n"
    match kind:
        case "many objects, one with a name of 1 MB":
            for k in range(100_000):
                yield f"{'x' * 1_000_000 if k == 50_000 else k},{k},g,1,2\n"
        case "names of 10 kB":
            for k in range(8_000):
                yield f"{k}{'y' * 10_000},{k},g,1,2\n"
        case "one long series":
            for k in range(1_000):
                yield f"{k},{k},g,1,2\n"
            for k in range(20_000):
                yield f"long,{k},r,1,2\n"
        case "a record of 300 MB":
            for _ in range(300):
                yield "z" * 1_000_000
            yield ",1,g,1,2\n"
        case "a quote without end":
            yield '"'
            for _ in range(1_000_000):
                yield "line,1,g,1,2\n" * 10
        case "commas":
            for _ in range(100):
                yield "," * 1_000_000


@pytest.mark.parametrize(
    ("kind", "max_mem", "options", "refused"),
    [
        ("many objects, one with a name of 1 MB", 80_000_000, [], None),
        ("many objects, one with a name of 1 MB", 30_000_000, [], None),
        ("many objects, one with a name of 1 MB", 10_000_000, [], "names of objects"),
        ("names of 10 kB", 120_000_000, [], None),
        ("names of 10 kB", 20_000_000, [], "names of objects"),
        ("one long series", 10_000_000, ["--chunks", "100,1000"], None),
        ("one long series", 100_000_000, ["--chunks=-1,-1"], "--chunks"),
        ("a record of 300 MB", 100_000_000, [], "a record is longer than"),
        ("a quote without end", 100_000_000, [], "a record is longer than"),
        ("commas", 100_000_000, [], "a record is longer than"),
    ],
)
def test_a_table_stays_within_its_memory(binary, tmp_path, kind, max_mem, options, refused):
    with open(tmp_path / "t.csv", "w", encoding="utf-8") as file:
        file.writelines(rows_of(kind))
    args = ["lightcurve", "ingest", tmp_path / "t.csv", tmp_path / "t.zarr", "--max-mem", max_mem, *options]
    code, told, resident = measured(binary, *args)
    assert resident <= max_mem + ALLOWANCE, (resident, told)
    if refused:
        assert code == 1 and refused in told and len(told) < 600, told
        assert "--max-mem" in told or "--chunks" in told or "1048576 bytes" in told, told
        assert not (tmp_path / "t.zarr").exists()
        return
    assert code == 0, told
    names = zarr.open_group(tmp_path / "t.zarr", mode="r")["object_id"][:]
    assert len(set(names)) == len(names) == len({row.partition(",")[0] for row in rows_of(kind)}) - 1
