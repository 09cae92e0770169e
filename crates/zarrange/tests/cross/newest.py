"""Arrays as the newest zarr-python writes them, where zarr-python 3.1 cannot: the table, and what is refused of them.

This is data and needs no zarr; `test_newest.py` goes through it. `newest_stores.py` writes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import stores

SHAPE, CHUNKS = stores.SHAPE, stores.CHUNKS


@dataclass(frozen=True)
class Row:
    """An array; `data_type`, `fill` and codecs as `zarr.json` has them."""

    name: str
    data_type: str | dict
    # Codecs from arrays to arrays, which zarr-python puts into the shards where there are any.
    filters: list[dict] = field(default_factory=list)
    # "any" and "small" as in `stores.elements`, or the values themselves, over and over.
    values: str | list = "any"
    shape: tuple[int, ...] = SHAPE
    # Of each dimension a number, or a list of the sizes of its chunks.
    chunks: tuple = CHUNKS
    shards: tuple | None = None
    fill: object = 0
    # The shape at the end, if it is another.
    resized: tuple[int, ...] | None = None
    # Further arguments of `create_array`.
    more: dict = field(default_factory=dict)
    # Members of the document that are put in afterwards, for what zarr-python reads and does not write itself.
    document: dict = field(default_factory=dict)

    @property
    def rank(self) -> int:
        return len(self.shape)


def named(name: str, **configuration) -> dict:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


def cast(data_type: str, **configuration) -> dict:
    return named("cast_value", data_type=data_type, **configuration)


def scale(**configuration) -> dict:
    return named("scale_offset", **configuration)


def transpose(*order: int) -> dict:
    return named("transpose", order=order)


BIG = {"serializer": named("bytes", endian="big")}
# Which zarr-python does not choose by itself where the type of the array has no byte order.
LITTLE = {"serializer": named("bytes", endian="little")}
V2_KEYS = {"chunk_key_encoding": named("v2", separator=".")}
GZIP = {"compressors": [named("gzip", level=1)]}
BLOSC = {
    "compressors": [named("blosc", cname="lz4", clevel=5, shuffle="shuffle", typesize=4, blocksize=0)],
}
BARE = {"compressors": None}


# Values that a cast to a smaller type changes.
HALVES = [0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999999999999994, -0.0, 7.0, 1e6 + 0.5, -3.75]
WILD = [0.5, -1.5, 1e9, -1e9, 127.5, 255.49, -128.6, 3.0, 0.0]
MISSING_IS = -32768
NAN_MAP = {"encode": [["NaN", MISSING_IS]], "decode": [[MISSING_IS, "NaN"]]}
WITH_NAN = ["NaN", 0.25, -1.5, 2.5, 99.0, -100.0, 0.0]
ROUNDINGS = ["nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"]

CASTS = [
    # Nothing is lost.
    Row("cast-f4-in-f8", "float32", [cast("float64")]),
    Row("cast-i2-in-i4", "int16", [cast("int32")], fill=-3),
    Row("cast-u1-in-i2", "uint8", [cast("int16")], fill=255, more=LITTLE),
    Row("cast-u1-in-f2", "uint8", [cast("float16")], more=LITTLE),
    Row("cast-u4-in-f8", "uint32", [cast("float64")]),
    Row("cast-u8-in-i8-wrap", "uint64", [cast("int64", out_of_range="wrap")], fill=2**64 - 1),
    Row("cast-same", "int32", [cast("int32")], fill=7),
    # Something is.
    Row("cast-f8-in-f4", "float64", [cast("float32")], fill=0.1),
    Row("cast-f8-in-f2-to-zero", "float64", [cast("float16", rounding="towards-zero")]),
    Row("cast-f8-in-f2-nan-fill", "float64", [cast("float16")], fill="NaN"),
    Row("cast-i8-in-f4", "int64", [cast("float32")], "small"),
    Row("cast-i8-in-f8-clamp", "int64", [cast("float64", out_of_range="clamp")]),
    Row("cast-i8-in-i1-wrap", "int64", [cast("int8", out_of_range="wrap")], fill=300),
    Row("cast-i4-in-u1-wrap", "int32", [cast("uint8", out_of_range="wrap")], fill=-1),
    Row("cast-u2-in-u1-clamp", "uint16", [cast("uint8", out_of_range="clamp")], fill=300),
    Row("cast-f4-in-u1-clamp", "float32", [cast("uint8", out_of_range="clamp")], WILD, fill=0.5),
    *[
        Row(f"cast-f8-in-i4-{rounding}", "float64", [cast("int32", rounding=rounding)], HALVES, fill=2.5)
        for rounding in ROUNDINGS
    ],
    Row(
        "cast-nan-mapped",
        "float64",
        [cast("int16", rounding="towards-negative", out_of_range="clamp", scalar_map=NAN_MAP)],
        WITH_NAN,
        fill="NaN",
    ),
    Row(
        "cast-infinity-mapped",
        "float32",
        [
            cast(
                "uint8",
                scalar_map={
                    "encode": [["NaN", 255], ["Infinity", 254], ["-Infinity", 0]],
                    "decode": [[255, "NaN"], [254, "Infinity"], [0, "-Infinity"]],
                },
            )
        ],
        ["NaN", "Infinity", "-Infinity", 1.0, 2.0, 253.0],
        fill=1.0,
    ),
    # What is mapped one way only is lost.
    Row("cast-mapped-to", "int16", [cast("uint8", scalar_map={"encode": [[-1, 9]]})], [-1, 0, 9, 200]),
    Row("cast-mapped-from", "int16", [cast("uint8", scalar_map={"decode": [[9, -1]]})], [0, 9, 200]),
    # Where it stands.
    Row("cast-twice", "float64", [cast("float32"), cast("float16")]),
    Row("cast-big", "float64", [cast("int16", out_of_range="clamp")], WILD, more=BIG),
    Row("cast-bare", "float64", [cast("float32")], more=BARE),
    Row("cast-blosc", "float64", [cast("float32")], more=BLOSC),
    Row("cast-after-transpose", "int64", [transpose(1, 0), cast("int8", out_of_range="wrap")]),
    Row("cast-before-transpose", "int64", [cast("int8", out_of_range="wrap"), transpose(1, 0)]),
    Row("cast-in-shards", "float64", [cast("float32")], shards=(6, 6), fill=0.1),
    Row(
        "cast-in-shards-transposed",
        "int64",
        [transpose(1, 0), cast("float64", out_of_range="clamp")],
        shards=(6, 6),
    ),
    Row(
        "cast-before-shards",
        "float64",
        [cast("float32")],
        chunks=(6, 6),
        fill=0.1,
        more={
            "serializer": named(
                "sharding_indexed",
                chunk_shape=(3, 3),
                codecs=[named("bytes", endian="little"), named("zstd", level=1, checksum=False)],
                index_codecs=[named("bytes", endian="little"), named("crc32c")],
            ),
            **BARE,
        },
    ),
]

PACK = [scale(offset=-10, scale=100), cast("int16", out_of_range="clamp", scalar_map=NAN_MAP)]
SCALES = [
    Row("scale-none", "float32", [scale()], fill=1.5),
    Row("scale-offset-only", "float64", [scale(offset=1.5)], fill=-1.5),
    Row("scale-2", "float64", [scale(scale=2)], fill=0.1),
    Row("scale-lossy", "float32", [scale(offset=0.1, scale=10)], fill=0.3),
    Row("scale-tenth", "float64", [scale(offset=273.15, scale=0.1)], fill="NaN"),
    Row("scale-half", "float16", [scale(offset=3, scale=-7)], "small", fill=0.5),
    Row("scale-by-bits", "float32", [scale(scale="0x40000000")]),
    Row("scale-i4", "int32", [scale(offset=5, scale=3)], "small", fill=-5),
    Row("scale-i2-negative", "int16", [scale(offset=-100, scale=-2)], "small", fill=7),
    Row("scale-u1", "uint8", [scale(offset=5)], [5, 6, 255, 90], fill=5),
    Row("scale-u8", "uint64", [scale(offset=2**63)], [2**63, 2**64 - 1, 2**63 + 5], fill=2**63),
    Row("scale-i8", "int64", [scale(offset=2**53 + 1)], [0, -1, 2**62, 2**53 + 1]),
    Row("scale-big", "float64", [scale(scale=4)], more=BIG | GZIP),
    Row("scale-twice", "int32", [scale(offset=5), scale(scale=3)], "small", fill=1),
    Row("pack", "float64", PACK, WITH_NAN, fill="NaN"),
    Row("pack-f4", "float32", PACK, WITH_NAN, fill=0.5),
    Row("pack-in-shards", "float64", PACK, WITH_NAN, shards=(6, 6), fill="NaN"),
    Row("pack-transposed", "float64", [transpose(1, 0), *PACK], WITH_NAN, fill="NaN"),
    Row(
        "pack-transposed-inside",
        "float32",
        [scale(offset=-10, scale=100), transpose(2, 0, 1), PACK[1]],
        WITH_NAN,
        shape=(7, 5, 4),
        chunks=(3, 2, 4),
        fill="NaN",
    ),
    Row("pack-v2-keys", "float64", PACK, WITH_NAN, fill="NaN", more=V2_KEYS),
    Row("pack-empty", "float64", PACK, WITH_NAN, shape=(0, 5), fill="NaN"),
    Row("pack-scalar", "float64", PACK, [2.5], shape=(), chunks=(), fill="NaN"),
]


def struct(*fields: tuple) -> dict:
    return named("struct", fields=[{"name": name, "data_type": of} for name, of in fields])


def structured(*fields: tuple) -> dict:
    return named("structured", fields=[list(each) for each in fields])


def sized(name: str, length: int) -> dict:
    return named(name, length_bytes=length)


def time(name: str, unit: str, scale_factor: int = 1) -> dict:
    return named(f"numpy.{name}", unit=unit, scale_factor=scale_factor)


NUMBER_FIELDS = [("id", "int64"), ("x", "float32"), ("ok", "bool"), ("z", "complex64"), ("h", "float16")]
NUMBERS = struct(*NUMBER_FIELDS)
NUMBERS_FILL = {"id": -(2**63), "x": "NaN", "ok": True, "z": ["-Infinity", 1.5], "h": -0.0}
NESTED = struct(
    ("p", struct(("x", "float32"), ("q", struct(("y", "int16"), ("n", "uint8"))))), ("n", "uint8")
)
NESTED_FILL = {"p": {"x": 1.5, "q": {"y": -2, "n": 7}}, "n": 9}
TEXTS = struct(("größe", sized("fixed_length_utf32", 16)), ("code", sized("null_terminated_bytes", 3)))
TEXTS_FILL = {"größe": "né", "code": "YWI="}
RAW = struct(("raw", sized("raw_bytes", 3)), ("k", "int32"))
TIMES = struct(("t", time("datetime64", "ns")), ("d", time("timedelta64", "s", 25)))
PAIR = struct(("a", "int32"), ("b", "float64"))

STRUCTS = [
    Row("struct-numbers", NUMBERS, fill=NUMBERS_FILL),
    Row("struct-big", NUMBERS, fill=NUMBERS_FILL, more=BIG),
    Row("struct-nested", NESTED, fill=NESTED_FILL),
    Row("struct-nested-big", NESTED, fill=NESTED_FILL, more=BIG | GZIP),
    Row(
        "struct-of-bytes",
        struct(("a", "uint8"), ("b", "int8"), ("c", "bool")),
        fill={"a": 1, "b": -1, "c": True},
    ),
    Row("struct-one", struct(("x", "float64")), fill={"x": 0.1}),
    Row("struct-text", TEXTS, fill=TEXTS_FILL),
    Row("struct-text-big", TEXTS, fill=TEXTS_FILL, more=BIG),
    Row("struct-raw", RAW, fill={"raw": "YWJj", "k": 5}),
    Row("struct-times", TIMES, fill={"t": 1, "d": -(2**63)}),
    Row("struct-times-big", TIMES, fill={"t": -(2**63), "d": 9}, more=BIG),
    Row("struct-transposed", NUMBERS, [transpose(1, 0)], fill=NUMBERS_FILL),
    Row("struct-in-shards", NUMBERS, fill=NUMBERS_FILL, shards=(6, 6)),
    Row("struct-in-shards-big", TEXTS, fill=TEXTS_FILL, shards=(6, 6), more=BIG),
    Row("struct-blosc", NUMBERS, fill=NUMBERS_FILL, more=BLOSC),
    Row("struct-bare", NESTED, fill=NESTED_FILL, more=BARE),
    Row("struct-scalar", PAIR, shape=(), chunks=(), fill={"a": 1, "b": 2.5}),
    Row("struct-empty", PAIR, shape=(0, 5), fill={"a": 1, "b": 2.5}),
    Row("struct-v2-keys", PAIR, fill={"a": 1, "b": 2.5}, more=V2_KEYS),
    # Other forms of fill values, and of the type itself.
    Row("struct-fill-partial", PAIR, fill={"a": 0, "b": 2.5}, document={"fill_value": {"b": 2.5}}),
    Row("struct-fill-none", PAIR, fill={"a": 0, "b": 0.0}, document={"fill_value": {}}),
    Row("struct-fill-base64", PAIR, fill={"a": 1, "b": 1.0}, document={"fill_value": "AQAAAAAAAAAAAPA/"}),
    Row(
        "struct-fill-hex",
        PAIR,
        fill={"a": 1, "b": "NaN"},
        document={"fill_value": {"a": 1, "b": "0x7ff8000000000000"}},
    ),
    # Little-endian then.
    Row("struct-no-order", PAIR, fill={"a": 1, "b": 2.5}, more=BARE, document={"codecs": [named("bytes")]}),
    Row(
        "structured",
        NUMBERS,
        fill={"id": 1, "x": 1.0, "ok": True, "z": [0.0, 0.0], "h": 0.0},
        document={
            "data_type": structured(*NUMBER_FIELDS),
            "fill_value": "AQAAAAAAAAAAAIA/AQAAAAAAAAAAAAA=",
        },
    ),
    Row(
        "structured-fill-object",
        PAIR,
        fill={"a": 1, "b": "Infinity"},
        document={"data_type": structured(("a", "int32"), ("b", "float64"))},
    ),
    Row(
        "structured-of-objects",
        PAIR,
        fill={"a": 1, "b": 2.5},
        document={"data_type": {**PAIR, "name": "structured"}},
    ),
    Row(
        "structured-nested",
        NESTED,
        fill=NESTED_FILL,
        document={
            "data_type": structured(
                ("p", structured(("x", "float32"), ("q", structured(("y", "int16"), ("n", "uint8"))))),
                ("n", "uint8"),
            )
        },
    ),
]


def grid(*chunk_shapes, kind="inline") -> dict:
    return {"chunk_grid": named("rectilinear", kind=kind, chunk_shapes=chunk_shapes)}


GRIDS = [
    Row("grid-1d", "int32", shape=(12,), chunks=([2, 5, 1, 4],), fill=-7),
    Row("grid-runs", "float64", shape=(20,), chunks=([3, 3, 3, 2, 2, 1, 6],), fill="NaN"),
    Row("grid-of-ones", "uint8", shape=(5,), chunks=([1, 1, 2, 1],)),
    Row("grid-2d", "int64", shape=(7, 9), chunks=([1, 4, 2], [5, 4])),
    Row("grid-uniform-axis", "int16", shape=(7, 9), chunks=([1, 4, 2], 4), fill=3),
    Row("grid-3d", "float32", shape=(7, 6, 5), chunks=([1, 4, 2], [6], [2, 3]), fill=0.5),
    # Chunks that reach beyond the array, or lie beyond it.
    Row("grid-cut", "int32", shape=(12, 5), chunks=([2, 5, 5], [1, 4]), resized=(9, 4)),
    Row("grid-cut-short", "int32", shape=(12,), chunks=([4, 3, 5],), resized=(3,)),
    Row("grid-grown", "int32", shape=(7,), chunks=([4, 3],), resized=(12,), fill=8),
    Row("grid-emptied", "int32", shape=(7,), chunks=([4, 3],), resized=(0,), fill=8),
    # Of the name, but regular.
    Row("grid-of-equals", "int32", shape=(12,), chunks=(4,), document=grid([4, 4, 4])),
    Row("grid-nothing-stored", "int32", [], [4], shape=(7, 4), chunks=([4, 3], 2), fill=4),
    Row("grid-v2-keys", "int32", shape=(7, 9), chunks=([1, 4, 2], [5, 4]), more=V2_KEYS),
    Row("grid-big-gzip", "float64", shape=(7, 9), chunks=([1, 4, 2], [5, 4]), more=BIG | GZIP),
    Row("grid-bare", "int32", shape=(7, 9), chunks=([1, 4, 2], [5, 4]), more=BARE),
    Row(
        "grid-transposed", "int32", [transpose(2, 0, 1)], shape=(7, 6, 5), chunks=([1, 4, 2], [2, 4], [2, 3])
    ),
    Row("grid-of-shards", "int32", shape=(12, 8), chunks=(2, 4), shards=([4, 2, 6], [8]), fill=1),
    Row(
        "grid-of-shards-cut",
        "int32",
        shape=(12, 8),
        chunks=(2, 4),
        shards=([4, 2, 6], [4, 4]),
        resized=(9, 7),
    ),
    Row("grid-of-casts", "float64", PACK, WITH_NAN, shape=(7, 9), chunks=([1, 4, 2], [5, 4]), fill="NaN"),
    Row("grid-of-structs", NUMBERS, shape=(7, 9), chunks=([1, 4, 2], [5, 4]), fill=NUMBERS_FILL),
    Row("grid-of-text", "string", shape=(7, 9), chunks=([1, 4, 2], [5, 4]), fill="né"),
]


def type_rows() -> Iterator[Row]:
    """Each type in shards, with the codecs that are the default; 3.1 writes not all of them there."""
    generic = [time("datetime64", "generic"), time("timedelta64", "generic")]
    yield from (Row(f"shards-{one['name']}", one, shards=(6, 6), fill="NaT") for one in generic)
    for one in ["bool", "int8", "uint16", "int64", "float16", "float64", "complex64", "complex128"]:
        yield Row(f"shards-{one}", one, shards=(6, 6), fill=[1.5, "NaN"] if one[0] == "c" else 1)
    yield Row("shards-string", "string", shards=(6, 6), fill="né")
    yield Row("shards-bytes", "variable_length_bytes", shards=(6, 6), fill="YWI=")
    yield Row("shards-raw", sized("raw_bytes", 3), shards=(6, 6), fill="YWJj")
    yield Row("shards-text", sized("fixed_length_utf32", 16), shards=(6, 6), fill="né")
    yield Row("shards-null-terminated", sized("null_terminated_bytes", 3), shards=(6, 6), fill="YWI=")
    yield Row("shards-datetime", time("datetime64", "s", 10), shards=(6, 6), fill=-1)


ROWS = [*CASTS, *SCALES, *STRUCTS, *GRIDS, *type_rows()]
ROW = {row.name: row for row in ROWS}


@dataclass(frozen=True)
class Refused:
    """A document that is none: neither zarr-python nor zarrange takes it."""

    row: Row
    name: str
    document: dict
    # A word for what is wrong, which the message has.
    word: str


def codecs(*first: dict) -> dict:
    return {"codecs": [*first, named("bytes", endian="little")]}


REFUSED = [
    *(
        Refused(ROW["cast-same"], name, codecs(*filters), word)
        for name, filters, word in [
            ("rounding", [cast("int8", rounding="half-way")], "half-way"),
            ("out-of-range", [cast("int8", out_of_range="saturate")], "saturate"),
            ("wrap-of-floats", [cast("float32", out_of_range="wrap")], "wrap"),
            ("cast-to-bool", [cast("bool")], "bool"),
            ("cast-to-nothing", [named("cast_value", rounding="towards-zero")], "data_type"),
            ("map-out-of-range", [cast("int8", scalar_map={"encode": [[1, 300]]})], "300"),
            ("scale-of-0", [scale(scale=0)], "scale"),
            ("scale-of-halves", [scale(scale=0.5)], "0.5"),
        ]
    ),
    *(
        Refused(ROW["struct-fill-none"], name, document, word)
        for name, document, word in [
            ("struct-of-objects", {"data_type": struct(("a", "int32"), ("b", "string"))}, "string"),
            ("struct-of-unknown", {"data_type": struct(("a", "int33"), ("b", "float64"))}, "int33"),
            ("struct-of-nothing", {"data_type": struct()}, "struct"),
            ("struct-without-fields", {"data_type": named("struct", names=["a"])}, "fields"),
            ("struct-fill-of-text", {"fill_value": {"a": "x", "b": 1.0}}, '"x"'),
            ("struct-fill-of-half", {"fill_value": {"a": 1.5, "b": 1.0}}, "1.5"),
            ("struct-fill-too-large", {"fill_value": {"a": 2**40, "b": 1.0}}, str(2**40)),
            ("struct-fill-null", {"fill_value": None}, "fill_value"),
        ]
    ),
    *(
        Refused(ROW["grid-1d"], name, document, word)
        for name, document, word in [
            ("grid-too-short", grid([2, 5, 4]), "12"),
            ("grid-of-another-kind", grid([12], kind="file"), "file"),
            ("grid-of-0", grid([12, 0]), "chunk"),
            ("grid-of-another-rank", grid([12], [1]), "chunk"),
            ("grid-run-of-0", grid([[2, 0], 12]), "chunk"),
            ("grid-of-text", grid("12"), "12"),
        ]
    ),
]


# A rectilinear grid is copied as it is, or made a regular one that the options name; what the message asks for.
REFUSED_OPTIONS = [
    ("grid-2d", ["--codecs", "gzip:1"], "--chunks"),
    ("grid-2d", ["--shards", "8,8"], "--chunks"),
    ("grid-of-shards", ["--codecs", "gzip:1"], "--shards"),
]


# Hierarchies that `newest_stores.py` writes, and options that rechunk them.
HIERARCHIES = {
    "mixed": ["--chunks", "grid:3,4", "deep/pack:4,2", "deep/struct:2,5"],
    "xarray": ["--chunks", "t2m:time=4,x=3", "irregular:time=4,x=3"],
    "xarray-grid": ["--chunks", "t2m:time=4,x=3"],
}
