"""Every data type with every codec and fill value that Python writes, copied and rechunked, read by zarr-python."""

import json

import formats
import numpy as np
import pytest
import zarr
from compare import array_differences, attributes, difference, differences, fill_value, native
from formats import REFUSED, TYPES, Row, Type, v2_rows, v3_codecs_of, v3_types
from stores import CHUNKS, MISSING, SHAPE, box, values, write_group, write_row
from stores import native as native_type
from support import metadata, open_tensorstore
from zarr.dtype import VariableLengthBytes

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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("one", TYPES, ids=lambda one: one.name)
def test_v2(run, tmp_path, one: Type, mode):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src)
    rows = {row.name: (row, write_row(src / row.name, row)) for row in v2_rows(one)}
    run("rechunk", src, dst, *MODES[mode])
    found = []
    for name, (row, data) in rows.items():
        found += [f"{name}: {what}" for what in row_differences(row, data, src / name, dst / name)]
        if mode == "rechunked":
            assert zarr.open_array(dst / name, mode="r").chunks == (4, 2), name
    assert not found, report(found, len(rows))
    run("verify", src, dst)


def row_differences(row: Row, data: np.ndarray, src, dst):
    """What differs in the target of a row of the table."""
    target = zarr.open_array(dst, mode="r")
    document = metadata(dst)
    if name_of(document["data_type"]) != row.type.v3:
        yield f"data type {document['data_type']}"
    if row.by_zarr_python:
        yield from array_differences(zarr.open_array(src, mode="r"), target)
    else:
        # Judged by what was put in, where that is what comes out.
        if row.codec.values == "any":
            yield from filter(None, [difference(target[...], expected_values(row, data))])
        elif target.dtype != native(data).dtype:
            yield f"type {target.dtype}"
    if attributes(dst) != attributes(src):
        yield f"attributes {attributes(dst)}"
    yield from tensorstore_differences(dst, document, target)


def expected_values(row: Row, data: np.ndarray) -> np.ndarray:
    """`data`, and the fill value where no chunk was written."""
    data, missing = native(data).copy(), box(MISSING, CHUNKS)
    fill = row.fill.value if row.fill.value is not None else json.loads(row.fill.token)
    if row.type.kind == "b":
        data[missing] = bool(fill)
    else:
        data[missing] = np.array(int(fill)).astype(data.dtype) if fill else np.zeros((), data.dtype)
    return data


def tensorstore_differences(dst, document: dict, target: zarr.Array):
    known = {codec["name"] for codec in document["codecs"]} <= TENSORSTORE_CODECS
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
    object_codec = (row.type.object_codec or {}).get("id")
    what = row.fill.token if row.fill.refused else object_codec or row.type.v2
    words = [what] if isinstance(what, str) else [what[0][0]]
    assert all(word in done.stderr for word in [str(src), *words]), done.stderr


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
    common = [c for c in [*formats.COMPRESSORS, *formats.FILTERS] if sum(map(c.takes, TYPES)) > 1]
    assert orders >= {(codec.name, order) for codec in common for order in "CF"}
    fills = {(row.fill.name, row.order) for row in rows}
    assert {name for name, _ in fills} == {fill.name for fill in formats.FILLS if not fill.refused}


def test_the_table_says_what_zarr_python_reads(tmp_path):
    for one in [*TYPES]:
        for row in v2_rows(one):
            path = tmp_path / one.name / row.name
            write_row(path, row)
            try:
                array = zarr.open_array(path, mode="r")
                read = array[...] is not None
            except (ValueError, TypeError, OverflowError):
                read = False
            assert read == row.by_zarr_python, f"{one.name}/{row.name}"


# Zarr v3


def write_v3(group: zarr.Group, one: Type) -> dict[str, formats.Codec]:
    """An array for each codec that the type can have in Zarr v3, every third in shards."""
    data = values(one, SHAPE)
    small = values(one, SHAPE, "small") if one.kind in formats.NUMBERS else data
    codecs = {}
    for k, codec in enumerate(v3_codecs_of(one)):
        shards = (6, 6) if k % 3 == 0 and one.name not in formats.NOT_IN_SHARDS else None
        name = f"{codec.name}.{'shards' if shards else 'chunks'}"
        of = data if codec.values == "any" else small
        array = group.create_array(
            name,
            shape=SHAPE,
            chunks=CHUNKS,
            shards=shards,
            dtype=DTYPES.get(one.kind) or native_type(one),
            fill_value=of[0, 1].tobytes() if one.kind in "V" + formats.RECORD else of[0, 1],
            attributes={"codec": codec.name},
            **v3_codecs(codec, one),
        )
        # One chunk is missing, and one shard.
        array[:3], array[3:6, 3:] = of[:3], of[3:6, 3:]
        codecs[name] = codec
    return codecs


DTYPES = {formats.TEXT: str, formats.BYTES: VariableLengthBytes()}


def v3_codecs(codec: formats.Codec, one: Type) -> dict:
    """What `create_array` has to know of a codec."""
    listed = [
        *codec.filters_for(one)[bool(one.object_codec) :],
        *([codec.compressor] if codec.compressor else []),
    ]
    named = [c if "name" in c else v3_codec(**c) for c in listed]
    filters = [c for c in named if c["name"].removeprefix("numcodecs.") in formats.ARRAY_TO_ARRAY]
    return {"filters": filters, "compressors": named[len(filters) :] or None}


def v3_codec(id: str, **configuration) -> dict:
    return {"name": f"numcodecs.{id}", "configuration": configuration}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("one", v3_types(), ids=lambda one: one.name)
def test_v3(run, tmp_path, one, mode):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    codecs = write_v3(zarr.create_group(src), one)
    run("rechunk", src, dst, *MODES[mode])
    found = [f"{what}" for what in differences(src, dst)]
    for name in codecs:
        found += [
            f"{name}: {what}"
            for what in tensorstore_differences(
                dst / name, metadata(dst / name), zarr.open_array(dst / name, mode="r")
            )
        ]
    assert not found, report(found, len(codecs))
    run("verify", src, dst)
