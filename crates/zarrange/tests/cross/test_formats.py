"""Every data type with every codec and fill value that Python writes, copied and rechunked, read by zarr-python."""

import json
from pathlib import Path

import formats
import numpy as np
import pytest
import zarr
from compare import attributes, content_differences, contents, difference, differences, fill_value, native
from formats import REFUSED, TYPES, Row, v2_rows, v3_codecs_of, v3_types
from stores import CHUNKS, MISSING, box, write_group, write_row
from support import flat, metadata, open_tensorstore, write_v3

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

# Ragged against the chunks of the source.
TO = "4,2"
MODES = {"copied": [], "rechunked": ["--chunks", TO]}

# What TensorStore 0.1 has of Zarr v3.
TENSORSTORE_TYPES = {
    "bool",
    *(f"{kind}{bits}" for kind in ["int", "uint"] for bits in [8, 16, 32, 64]),
    *(f"float{bits}" for bits in [16, 32, 64]),
    *(f"complex{bits}" for bits in [64, 128]),
}
TENSORSTORE_CODECS = {"blosc", "bytes", "crc32c", "gzip", "sharding_indexed", "transpose", "zstd"}


@pytest.fixture(scope="module", params=TYPES, ids=lambda one: one.name)
def source(request, tmp_path_factory) -> tuple[Path, dict[str, tuple[Row, dict[str, np.ndarray]]]]:
    """A group with all rows of the table for a type, and what is in the array of each."""
    path = tmp_path_factory.mktemp(request.param.name) / "src.zarr"
    write_group(path)
    rows = {}
    for row in v2_rows(request.param):
        data = write_row(path / row.name, row)
        by_zarr_python = row.by_zarr_python and contents(zarr.open_array(path / row.name, mode="r"))
        rows[row.name] = (row, by_zarr_python or expected_contents(row, data))
    return path, rows


def expected_contents(row: Row, data: np.ndarray) -> dict[str, np.ndarray]:
    """What an array holds that zarr-python cannot read."""
    data = data.astype(np.dtypes.StringDType()) if row.type.kind == formats.TEXT else native(data).copy()
    fill = row.fill.value if row.fill.value is not None else json.loads(row.fill.token)
    if row.type.kind == formats.TEXT:
        fill = "" if fill is None else str(fill)
    elif row.type.kind == "b":
        fill = bool(fill)
    fill = np.array(fill).astype(data.dtype) if fill else np.zeros((), data.dtype)
    data[box(MISSING, CHUNKS)] = fill
    # What comes out of a lossy codec is not known here.
    return {"fill value": fill, **({"values": data} if row.codec.values == "any" else {})}


@pytest.mark.parametrize("mode", MODES)
def test_v2(run, tmp_path, source, mode):
    src, rows = source
    dst = tmp_path / "dst.zarr"
    run("rechunk", src, dst, *MODES[mode])
    found = []
    for name, (row, expected) in rows.items():
        found += [f"{name}: {one}" for one in row_differences(row, expected, src / name, dst / name)]
        if mode == "rechunked":
            assert zarr.open_array(dst / name, mode="r").chunks == (4, 2), name
    assert not found, report(found, len(rows))
    run("verify", src, dst)


def row_differences(row: Row, expected: dict[str, np.ndarray], src: Path, dst: Path):
    """What differs in the target of a row of the table."""
    target, described = zarr.open_array(dst, mode="r"), metadata(dst)
    if name_of(described["data_type"]) != row.type.v3:
        yield f"data type {described['data_type']}"
    yield from content_differences(expected, target)
    if attributes(dst) != attributes(src):
        yield f"attributes {attributes(dst)}"
    yield from tensorstore_differences(dst, described, target)


def tensorstore_differences(dst, document: dict, target: zarr.Array):
    known = {codec["name"] for codec in flat(document["codecs"])} <= TENSORSTORE_CODECS
    if known and name_of(document["data_type"]) in TENSORSTORE_TYPES:
        store = open_tensorstore(dst)
        if found := difference(store.read().result(), target[...]):
            yield f"TensorStore: {found}"
        if found := difference(store.fill_value, fill_value(target)):
            yield f"fill value by TensorStore: {found}"


def name_of(data_type: str | dict) -> str:
    return data_type if isinstance(data_type, str) else data_type["name"]


def report(found: list[str], count: int) -> str:
    return "\n".join([f"{len(found)} differences in {count} arrays", *found[:30]])


# What is refused


def test_what_is_refused_is_named_at_once(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src)
    names = {}
    for row in REFUSED:
        names[f"{row.type.name}.{row.fill.name}"] = row
        write_row(src / f"{row.type.name}.{row.fill.name}", row)
    taken = Row(formats.BOOL, formats.CODEC["zlib"], formats.FILL["null"])
    write_row(src / "taken", taken)
    done = run("rechunk", src, dst, check=False)
    assert done.returncode == 1 and not dst.exists()
    missed = [name for name in names if name not in done.stderr]
    assert not missed, f"{missed} not named in\n{done.stderr}"
    assert "taken" not in done.stderr
    # A way round.
    assert "--skip" in done.stderr
    run("rechunk", src, dst, "--skip", *names)
    assert [path.name for path in dst.iterdir() if path.is_dir()] == ["taken"]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{row.type.name}.{row.fill.name}")
def test_a_refusal_says_what_and_why(run, tmp_path, row):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_row(src, row)
    # Nothing is refused that zarr-python reads.
    with pytest.raises((ValueError, TypeError, OverflowError)):
        zarr.open_array(src, mode="r")
    done = run("rechunk", src, dst, check=False)
    assert done.returncode == 1 and not dst.exists()
    assert all(word in done.stderr for word in [str(src), wrong(row)]), done.stderr


def wrong(row: Row) -> str:
    """A word for what is refused."""
    if not row.type.refused:
        return row.fill.token
    if row.type.v2 == "|O":
        return (row.type.object_codec or {"id": "object"})["id"]
    return row.type.v2 if isinstance(row.type.v2, str) else row.type.v2[0][0]


# The table itself


def test_the_table_holds_every_pair():
    rows = [row for one in TYPES for row in v2_rows(one)]
    assert len({(row.type.name, row.name) for row in rows}) == len(rows)
    for one in TYPES:
        mine = [row for row in rows if row.type == one]
        assert {row.codec.name for row in mine} == {codec.name for codec in formats.codecs_of(one)}
        assert {row.fill.name for row in mine} == {fill.name for fill in formats.fills_of(one)}
        assert {row.order for row in mine} == {"C", "F"}
    orders = {(row.codec.name, row.order) for row in rows}
    common = [c for c in [*formats.COMPRESSORS, *formats.FILTERS] if sum(map(c.takes, TYPES)) > 3]
    assert orders >= {(codec.name, order) for codec in common for order in "CF"}
    fills = {(row.fill.name, row.order) for row in rows}
    assert {name for name, _ in fills} == {fill.name for fill in formats.FILLS if not fill.refused}


def test_the_table_says_what_zarr_python_cannot_read(tmp_path):
    # That it reads all others shows where they are compared.
    rows = [row for one in TYPES for row in v2_rows(one) if not row.by_zarr_python]
    for k, row in enumerate(rows):
        write_row(tmp_path / str(k), row)
        with pytest.raises((ValueError, TypeError, OverflowError)):
            zarr.open_array(tmp_path / str(k), mode="r")[...]


# Zarr v3


@pytest.fixture(scope="module", params=v3_types(), ids=lambda one: one.name)
def v3_source(request, tmp_path_factory) -> tuple[Path, list[str]]:
    """A group with an array for each codec that a type can have in Zarr v3, every third in shards; their names."""
    one, path = request.param, tmp_path_factory.mktemp(request.param.name) / "src.zarr"
    zarr.create_group(path)
    names = []
    for k, codec in enumerate(v3_codecs_of(one)):
        sharded = k % 3 == 0 and one.name not in formats.NOT_IN_SHARDS
        names.append(f"{codec.name}.{'shards' if sharded else 'chunks'}")
        write_v3(path / names[-1], one, codec, sharded=sharded)
    return path, names


@pytest.mark.parametrize("mode", MODES)
def test_v3(run, tmp_path, v3_source, mode):
    src, names = v3_source
    dst = tmp_path / "dst.zarr"
    run("rechunk", src, dst, *MODES[mode])
    found = differences(src, dst)
    for name in names:
        target = zarr.open_array(dst / name, mode="r")
        found += [
            f"{name}: {one}" for one in tensorstore_differences(dst / name, metadata(dst / name), target)
        ]
    assert not found, report(found, len(names))
    run("verify", src, dst)
