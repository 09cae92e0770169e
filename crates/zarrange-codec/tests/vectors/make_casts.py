"""Writes casts.json: what zarr-python makes of numbers and chunks with `cast_value` and `scale_offset`, for tests/casts.rs.

    pip install zarr==3.4.2 cast-value-rs==0.5.1 && python make_casts.py

Made with numpy 2.5.5 on x86-64 and Python 3.13. Bytes are little endian, in base64. Left out is what depends on the machine, or is
wrong in zarr-python: conversions of float64 to float16 through float32, which round twice, and integers of 8 bytes whose
`scale_offset` overflows.
"""

import base64
import itertools
import json
import pathlib
import tempfile
import warnings

import numpy as np
import zarr
from zarr.codecs import CastValue, ScaleOffset
from zarr.codecs.scale_offset import _decode, _encode
from zarr.core.dtype import get_data_type_from_json

warnings.simplefilter("ignore")

INTS = [f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)]
FLOATS = ["float16", "float32", "float64"]
TYPES = INTS + FLOATS
ROUNDINGS = ["nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"]
OUT_OF_RANGE = [None, "clamp", "wrap"]


def text(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode().rstrip("=")


def bounds(kind):
    info = np.iinfo(kind) if kind in INTS else np.finfo(kind)
    return (int(info.min), int(info.max)) if kind in INTS else (float(info.min), float(info.max))


def edges(source, target):
    """Numbers of a type at which a conversion to another has something to decide."""
    low, high = bounds(source)
    least, most = bounds(target)
    if source in INTS:
        numbers = {0, 1, -1, 2, low, high, high - 1, low + 1, 2**53 + 1, 2**53 + 3, -(2**53) - 1, 2**63, 2**62 + 2**37 + 1, 2**24 + 1}
        numbers |= {2049, 2051, -2049, 65519, 65520, 65535, -65520, 2**24 + 3, -(2**24) - 1, 70000, 33555457}
        if target in INTS:
            numbers |= {least, least - 1, most, most + 1, 3 * most + 5, 3 * least - 5}
        return np.array(sorted(n for n in numbers if low <= n <= high), source)
    kind = np.dtype(source)
    some = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 1.25, -1.75, np.inf, -np.inf, np.nan, 3e9, -1e300, 1e300, 3e38, 1e19, 2.0**117]
    if target in INTS:
        near = [least, most, least - 0.5, most + 0.5, least - 1, most + 1]
        some += near + [np.nextafter(np.array(x, source), y) for x in near[:2] for y in np.array([-np.inf, np.inf], source)]
    else:
        ulp = most - float(np.nextafter(np.array(most, target), np.array(0, target)))
        tiny = float(np.finfo(target).smallest_subnormal)
        factor = 1 + float(np.finfo(target).eps) / 2
        for x in (most, most + ulp / 4, most + ulp / 2, most + 0.75 * ulp, most + ulp, factor, tiny / 2, tiny * 1.25, tiny * 1.5, tiny / 9):
            some += [x, -x]
    numbers = np.array(some, "float64").astype(source)
    if (source, target) == ("float64", "float16"):
        once = numbers.astype("float16")
        numbers = numbers[(once == numbers.astype("float32").astype("float16")) | np.isnan(once)]
    # NaN that signals, and NaN with a payload.
    bits = np.concatenate([numbers, np.array([np.inf, np.nan, -np.inf], source)]).view(f"u{kind.itemsize}")
    bits[-3:] += np.array([1, 3, 1], bits.dtype)
    _, first = np.unique(bits, return_index=True)
    return bits[np.sort(first)].view(source)


def each(work, numbers, target):
    """Results one by one, with zeros where there is an error; and which are none."""
    results, fine = np.zeros(len(numbers), target), ""
    for k in range(len(numbers)):
        try:
            results[k] = work(numbers[k : k + 1])[0]
            fine += "1"
        except ValueError:
            fine += "0"
    return results, fine


def cast(source, target, rounding, out_of_range, pairs, numbers):
    codec = CastValue(data_type=target, rounding=rounding, out_of_range=out_of_range, scalar_map=pairs and {"encode": pairs})
    if pairs:
        codec._validate_scalar_map(get_data_type_from_json(source, zarr_format=3), codec.dtype)
    scalar_map = codec._get_scalar_map("encode")
    return each(lambda x: codec._do_cast(x, target_dtype=np.dtype(target), scalar_map=scalar_map), numbers, target)


casts = []
for source, target in itertools.product(TYPES, TYPES):
    numbers = edges(source, target)
    results = {}
    for n, (out_of_range, rounding) in enumerate(itertools.product(OUT_OF_RANGE, ROUNDINGS)):
        made, fine = cast(source, target, rounding, out_of_range, None, numbers)
        results.setdefault((text(made), fine), []).append(n)
    casts.append({
        "from": source, "to": target, "numbers": text(numbers),
        "results": [{"ways": ways, "numbers": made, "fine": fine} for (made, fine), ways in results.items()],
    })  # fmt: skip

maps = []
for source, target, pairs in [
    ("float64", "int16", [["NaN", -32768], ["Infinity", 32767], ["-Infinity", -1]]),
    ("float64", "uint8", [["NaN", 0], [300.5, 7.0], [0, 9], [-0.0, 8]]),
    ("float32", "int8", [[0.1, 1], [1.5, 100], ["2.5", "5"], [1.5, 101]]),
    ("float32", "int16", [[0.1, 7], [0.10000000000000002, 8], [0.100000001, 9]]),
    ("float16", "uint16", [[0.1, 7], ["nan", 65535], [65504, 1]]),
    ("int16", "float64", [[-32768, "NaN"], [7, 0.1], [0, "-0.0"]]),
    ("int16", "float32", [[-32768, "NaN"], [7, 0.1], [5, "Infinity"]]),
    ("uint8", "float16", [[255, 1e9], [0, 1.00048828125], [1, "-Infinity"]]),
    ("int64", "int8", [[2**53 + 1, 5], [2**53 + 2, 6], [-(2**63), 7]]),
    ("uint64", "int16", [[2**64 - 1, -1], [2**63, -2], ["18446744073709551614", -3]]),
    ("uint8", "uint8", [[0, 255], [255, 0]]),
    ("float32", "float32", [["NaN", -9999.5], [-9999.5, "NaN"]]),
    ("int32", "int32", [[n, n + 1000] for n in range(40, -40, -7)]),
    ("float32", "int16", [[0.1 + n * 1e-12, n] for n in range(12)]),
    ("float64", "float32", [[n / 2, -n] for n in range(-12, 12)] + [["NaN", 0]]),
]:  # fmt: skip
    keys = [int(k) if source in INTS else float(k) for k, _ in pairs]
    numbers = np.concatenate([np.array(keys, source), edges(source, target)])
    made, fine = cast(source, target, "nearest-even", None, pairs, numbers)
    maps.append({"from": source, "to": target, "pairs": pairs, "numbers": text(numbers), "result": text(made), "fine": fine})

scales = []
for kind in TYPES:
    low, high = bounds(kind)
    if kind in INTS:
        settings = [(0, 1), (5, 2), (0, 3), (100, 1), (7.0, "3"), (high, 2), (high, high)] + ([(-5, -1), (low, 1), (-9, -7)] if low else [])
        some = {0, 1, 5, 6, 7, 100, low, low + 1, low // 2, high, high - 1, high // 2, high // 2 + 3, -1, -12, 3 * (high // 3), 42, 9}
        numbers = np.array(sorted(n for n in some if low <= n <= high), kind)
    else:
        settings = [(0, 1), (5, 0.1), (-2.5, 3), (0.1, "0x3fb999999999999a"), (1e-3, 1e6), ("NaN", 1), (0, "-Infinity"), ("0x4000", -0.7)]
        some = [0.0, -0.0, 0.1, 1 / 3, 5, -7.25, 1e-7, 6e-8, 300.1, -4096.4, high, low, high / 3, np.inf, -np.inf, np.nan]
        some += [2049, 33555457.0, 1e-310, 1e-40]
        numbers = np.array(some, "float64").astype(kind)
    zdtype = get_data_type_from_json(kind, zarr_format=3)
    for offset, scale in settings:
        codec = ScaleOffset(offset=offset, scale=scale)
        codec.validate(shape=(1,), dtype=zdtype, chunk_grid=None)
        parsed = [zdtype.from_json_scalar(x, zarr_format=3) for x in (offset, scale)]
        kept = numbers
        if kind == "int64":
            # What 64 bits hold in between.
            wide = lambda x: -(2**63) <= x < 2**63  # noqa: E731
            o, s = (int(x) for x in parsed)
            kept = np.array([x for x in map(int, numbers) if wide(x - o) and wide((x - o) * s) and wide(x // s + o)], kind)
        encoded = each(lambda x: _encode(x, *parsed), kept, kind)
        decoded = each(lambda x: _decode(x, *parsed, scale_repr=scale), kept, kind)
        scales.append({
            "type": kind, "offset": offset, "scale": scale, "numbers": text(kept), "encoded": text(encoded[0]),
            "encodes": encoded[1], "decoded": text(decoded[0]), "decodes": decoded[1],
        })  # fmt: skip


def codec(name, **configuration):
    return {"name": name, "configuration": configuration}


def order(*axes):
    return codec("transpose", order=axes)


def shards(shape, *codecs):
    index = [codec("bytes", endian="little"), {"name": "crc32c"}]
    return codec("sharding_indexed", chunk_shape=shape, codecs=codecs, index_codecs=index, index_location="end")


LITTLE, BIG = codec("bytes", endian="little"), codec("bytes", endian="big")
ZSTD = codec("zstd", level=3, checksum=False)
NAN = {"encode": [["NaN", -32768]], "decode": [[-32768, "NaN"]]}
PACKED = codec("cast_value", data_type="int16", scalar_map=NAN)
ROUGH = codec("cast_value", data_type="float16", rounding="towards-zero", out_of_range="clamp")
WIDE = codec("cast_value", data_type="int64", rounding="nearest-away")
SCALED = codec("scale_offset", offset=-10.5, scale=4)

chunks = []
SHAPE = (4, 6)
floats = np.sin(np.arange(24)).reshape(SHAPE) * 100
gaps = np.where(np.arange(24).reshape(SHAPE) % 5 == 0, np.nan, floats)
ints = (np.arange(24).reshape(SHAPE) * 37 - 300).astype("int32")
holes = np.full(SHAPE, np.nan)
holes[:2, :3] = gaps[:2, :3]
for kind, data, fill, codecs in [
    ("float64", floats, 0, [codec("cast_value", data_type="int8"), LITTLE]),
    ("float64", floats, 0, [WIDE, BIG]),
    ("float64", gaps, "NaN", [PACKED, BIG]),
    ("float64", gaps, "NaN", [SCALED, PACKED, LITTLE, ZSTD]),
    ("float32", gaps, "NaN", [order(1, 0), SCALED, PACKED, LITTLE, ZSTD]),
    ("float64", gaps, "NaN", [SCALED, PACKED, order(1, 0), BIG, {"name": "crc32c"}]),
    ("float64", gaps, "NaN", [SCALED, order(1, 0), PACKED, order(1, 0), BIG]),
    ("float32", floats, 0, [ROUGH, LITTLE]),
    ("float16", floats, 1.5, [SCALED, codec("cast_value", data_type="float64"), BIG]),
    ("int32", ints, -300, [codec("scale_offset", offset=-300, scale=2), codec("cast_value", data_type="uint16"), LITTLE]),
    ("int32", ints, 0, [codec("cast_value", data_type="uint8", out_of_range="wrap"), LITTLE]),
    ("int32", ints, 0, [codec("cast_value", data_type="uint8", out_of_range="clamp"), codec("cast_value", data_type="float32"), BIG]),
    ("uint8", ints, 0, [{"name": "scale_offset"}, {"name": "bytes"}]),
    # In shards, and before them, where inner chunks are missing.
    ("float64", holes, "NaN", [shards((2, 3), SCALED, PACKED, BIG)]),
    ("float64", holes, "NaN", [PACKED, shards((2, 3), LITTLE)]),
    ("float64", holes, "NaN", [SCALED, PACKED, shards((2, 3), BIG, ZSTD)]),
    ("float64", holes, "NaN", [order(1, 0), PACKED, shards((2, 2), LITTLE)]),
    ("float64", holes, "NaN", [PACKED, order(1, 0), shards((2, 2), order(1, 0), LITTLE, {"name": "crc32c"})]),
    ("float64", holes, "NaN", [PACKED, shards((2, 6), codec("cast_value", data_type="float32"), shards((1, 3), LITTLE)), {"name": "crc32c"}]),
    # The fill value comes back as another.
    ("float32", np.where(np.arange(24).reshape(SHAPE) > 12, 2.75, floats), 2.75, [codec("cast_value", data_type="int8"), shards((2, 3), LITTLE)]),
    ("float64", np.where(floats == 0, 5, 0.1), 0.1, [codec("cast_value", data_type="float32"), shards((2, 3), LITTLE)]),
    ("int32", np.where(floats == 0, 9, 7), 7, [codec("cast_value", data_type="int8", scalar_map={"encode": [[7, 1]], "decode": [[1, 70]]}), shards((2, 3), LITTLE)]),
]:  # fmt: skip
    data = data.astype(kind)
    with tempfile.TemporaryDirectory() as folder:
        metadata = {
            "zarr_format": 3, "node_type": "array", "shape": SHAPE, "data_type": kind, "fill_value": fill, "codecs": codecs,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": SHAPE}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        }  # fmt: skip
        pathlib.Path(folder, "zarr.json").write_text(json.dumps(metadata))
        array = zarr.open_array(folder, mode="r+")
        array[...] = data
        stored = pathlib.Path(folder, "c/0/0").read_bytes()
        decoded = zarr.open_array(folder, mode="r")[...]
    chunks.append({
        "type": kind, "shape": SHAPE, "codecs": codecs, "fill": text(np.array(array.fill_value, kind)), "data": text(data),
        "encoded": text(np.frombuffer(stored, "u1")), "decoded": text(decoded),
    })  # fmt: skip

path = pathlib.Path(__file__).parent / "casts.json"
lists = {"casts": casts, "maps": maps, "scales": scales, "chunks": chunks}
rows = [f'"{name}": [\n' + ",\n".join(json.dumps(entry) for entry in entries) + "\n]" for name, entries in lists.items()]
path.write_text("{" + ",\n".join(rows) + "}\n")
