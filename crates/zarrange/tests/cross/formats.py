"""The formats of Zarr as Python writes them: types, codecs, forms of fill values, and what becomes of each.

This is data and the rules that pair it; it reads and writes nothing and needs no package. `test_formats.py`
goes through `v2_rows` and `v3_rows`, and through `REFUSED`, which is the whole list of what is not taken.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

# Letters for kinds of types, as in `numpy.dtype.kind`, but for records and objects.
NUMBERS = "iufc"
RECORD, TEXT, BYTES, OTHER = "r", "t", "y", "o"
FIXED = "biufcMmSUV" + RECORD
EVERY = FIXED + TEXT + BYTES


# Data types


@dataclass(frozen=True)
class Type:
    name: str
    # `dtype` in `.zarray`; `None` where only Zarr v3 has the type.
    v2: str | list | None
    # Name of the `data_type` that the target has.
    v3: str
    kind: str
    # Bytes of an element.
    size: int = 0
    # What the `filters` of `.zarray` start with, for objects.
    object_codec: dict | None = None
    # Why it is refused. Only what zarr-python 3.1 cannot read either may be.
    refused: str | None = None
    # Whether zarr-python 3.1 reads it from Zarr v2.
    by_zarr_python: bool = True


def orders(name: str, code: str, v3: str, size: int, kind: str | None = None) -> list[Type]:
    """A type in both byte orders."""
    kind = kind or code[0]
    return [Type(name, f"<{code}", v3, kind, size), Type(f"{name}-big", f">{code}", v3, kind, size)]


INTEGERS = [
    *[Type(f"{name}8", f"|{kind}1", f"{name}8", kind, 1) for kind, name in [("i", "int"), ("u", "uint")]],
    *[
        one
        for kind, name in [("i", "int"), ("u", "uint")]
        for size in [2, 4, 8]
        for one in orders(f"{name}{8 * size}", f"{kind}{size}", f"{name}{8 * size}", size)
    ],
]
# A byte has no order, but some writers give it one.
ORDERED_BYTES = [
    Type(f"{name}-{order}", f"{sign}{code}", v3, code[0], 1, by_zarr_python=False)
    for name, code, v3 in [("bool", "b1", "bool"), ("int8", "i1", "int8"), ("uint8", "u1", "uint8")]
    for order, sign in [("little", "<"), ("big", ">")]
]
FLOATS = [
    one
    for name, code, size in [
        ("float16", "f2", 2),
        ("float32", "f4", 4),
        ("float64", "f8", 8),
        ("complex64", "c8", 8),
        ("complex128", "c16", 16),
    ]
    for one in orders(name, code, name, size)
]

UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
TIMES = [
    one
    for kind, name in [("M", "datetime64"), ("m", "timedelta64")]
    for one in [
        *[Type(f"{name}-{unit}", f"<{kind}8[{unit}]", f"numpy.{name}", kind, 8) for unit in UNITS],
        Type(f"{name}-25s", f"<{kind}8[25s]", f"numpy.{name}", kind, 8),
        Type(f"{name}-10ns-big", f">{kind}8[10ns]", f"numpy.{name}", kind, 8),
        Type(f"{name}-ns-big", f">{kind}8[ns]", f"numpy.{name}", kind, 8),
        Type(f"{name}-generic", f"<{kind}8", f"numpy.{name}", kind, 8),
    ]
]

STRINGS = [
    Type("bytes1", "|S1", "null_terminated_bytes", "S", 1),
    Type("bytes5", "|S5", "null_terminated_bytes", "S", 5),
    *orders("unicode1", "U1", "fixed_length_utf32", 4),
    *orders("unicode5", "U5", "fixed_length_utf32", 20),
    Type("raw3", "|V3", "raw_bytes", "V", 3),
    Type("raw16", "|V16", "raw_bytes", "V", 16),
]

RECORDS = [
    Type("record", [["id", "<i8"], ["x", "<f4"], ["ok", "|b1"]], "structured", RECORD, 13),
    Type("record-big", [["id", ">i4"], ["x", ">f8"], ["y", "<u2"]], "structured", RECORD, 14),
    Type("record-one", [["x", "<f8"]], "structured", RECORD, 8),
    Type("record-text", [["name", "<U4"], ["code", "|S3"], ["t", "<M8[ns]"]], "structured", RECORD, 27),
    Type("record-raw", [["raw", "|V3"], ["z", "<c8"]], "structured", RECORD, 11),
    Type(
        "record-nested",
        [["p", [["x", "<f4"], ["y", ">i2"]]], ["n", "|u1"]],
        "structured",
        RECORD,
        7,
        by_zarr_python=False,
    ),
]

CATEGORIES = {"id": "categorize", "dtype": "|O", "astype": "|u1", "labels": ["a", "é", "NGC 7"]}
OBJECTS = [
    Type("text", "|O", "string", TEXT, object_codec={"id": "vlen-utf8"}),
    Type("objects-of-bytes", "|O", "variable_length_bytes", BYTES, object_codec={"id": "vlen-bytes"}),
    Type("categories", "|O", "string", TEXT, object_codec=CATEGORIES, by_zarr_python=False),
]


def refused(name: str, v2, why: str, object_codec: dict | None = None) -> Type:
    return Type(name, v2, "", OTHER, 0, object_codec, why, by_zarr_python=False)


NO_V3_TYPE = "Zarr v3 has no data type for it"
JSON2 = {
    "id": "json2",
    "encoding": "utf-8",
    "allow_nan": True,
    "check_circular": True,
    "ensure_ascii": True,
    "indent": None,
    "separators": [",", ":"],
    "skipkeys": False,
    "sort_keys": True,
    "strict": True,
}
REFUSED_TYPES = [
    refused("float128", "<f16", NO_V3_TYPE),
    refused("complex256", "<c32", NO_V3_TYPE),
    refused("bytes0", "|S0", "elements of no bytes"),
    refused("unicode0", "<U0", "elements of no bytes"),
    refused("raw0", "|V0", "elements of no bytes"),
    refused("record-subarray", [["xyz", "<f4", [3]], ["n", "|u1"]], "a field with a shape"),
    refused("record-of-objects", [["x", "|O"]], "objects in records"),
    refused("objects", "|O", "objects without a codec that says what they are"),
    refused("pickle", "|O", "to load a pickle runs what it holds", {"id": "pickle", "protocol": 5}),
    refused("json2", "|O", NO_V3_TYPE, JSON2),
    refused("msgpack2", "|O", NO_V3_TYPE, {"id": "msgpack2", "raw": False, "use_single_float": False}),
    refused("vlen-array", "|O", NO_V3_TYPE, {"id": "vlen-array", "dtype": "<i4"}),
]

BOOL = Type("bool", "|b1", "bool", "b", 1)
TYPES = [BOOL, *INTEGERS, *ORDERED_BYTES, *FLOATS, *TIMES, *STRINGS, *RECORDS, *OBJECTS]
TYPE = {one.name: one for one in [*TYPES, *REFUSED_TYPES]}


# Codecs. A configuration may leave a place for what depends on the type.

DTYPE, ITEMSIZE = "$dtype", "$itemsize"


@dataclass(frozen=True)
class Codec:
    """Filters and a compressor, under the names that `.zarray` uses."""

    name: str
    filters: tuple[dict, ...] = ()
    compressor: dict | None = None
    # The types that it is for: kinds, of these only those of some names if there are any.
    kinds: str = EVERY
    only: tuple[str, ...] = ()
    # Values that the codec can bear: "any", or "small" ones, positive and finite.
    values: str = "any"
    # Whether zarr-python has it for Zarr v3, as `numcodecs.NAME`.
    v3: bool = True

    def takes(self, one: Type) -> bool:
        return one.kind in self.kinds and (not self.only or one.name in self.only)

    def filters_for(self, one: Type) -> list[dict]:
        """As `.zarray` lists them for this type."""
        first = [one.object_codec] if one.object_codec else []
        places = {DTYPE: one.v2, ITEMSIZE: one.size}
        filled = [
            {k: places.get(v, v) if isinstance(v, str) else v for k, v in f.items()} for f in self.filters
        ]
        return [*first, *filled]


def codec(id_: str, **configuration) -> dict:
    return {"id": id_, **configuration}


BLOSC = codec("blosc", cname="lz4", clevel=5, shuffle=1, blocksize=0)
ZLIB = codec("zlib", level=1)
LZMA = codec("lzma", format=1, check=-1, preset=None, filters=None)

# Each of these meets each type.
COMPRESSORS = [
    Codec("none"),
    Codec("blosc", compressor=BLOSC),
    Codec("zstd", compressor=codec("zstd", level=1)),
    Codec("lz4", compressor=codec("lz4", acceleration=1)),
    Codec("lzma", compressor=LZMA),
    Codec("gzip", compressor=codec("gzip", level=1)),
    Codec("zlib", compressor=ZLIB),
    Codec("bz2", compressor=codec("bz2", level=1)),
]

SHUFFLE = codec("shuffle", elementsize=ITEMSIZE)
DELTA = codec("delta", dtype=DTYPE, astype=DTYPE)
FLETCHER32 = codec("fletcher32")
FIXED_SCALE = codec("fixedscaleoffset", dtype=DTYPE, astype="<i2", scale=10, offset=3)
# numcodecs rounds no others.
LITTLE_FLOATS = ("float16", "float32", "float64")
QUANTIZE = codec("quantize", digits=1, dtype=DTYPE, astype=DTYPE)

# Each of these meets each type that it is for.
FILTERS = [
    Codec("delta", (DELTA,), ZLIB, "iuf", values="small"),
    Codec("delta-any", (DELTA,), BLOSC, NUMBERS),
    Codec("delta-without-astype", (codec("delta", dtype=DTYPE),), None, "iu"),
    Codec("fixedscaleoffset", (FIXED_SCALE,), ZLIB, "iuf", values="small"),
    Codec(
        "fixedscaleoffset-without-astype",
        (codec("fixedscaleoffset", dtype=DTYPE, scale=0.5, offset=0.25),),
        None,
        "f",
        values="small",
    ),
    Codec("quantize", (QUANTIZE,), BLOSC, "f", values="small"),
    Codec(
        "quantize-f4", (codec("quantize", digits=2, dtype=DTYPE, astype="<f4"),), None, "f", values="small"
    ),
    Codec("bitround", (codec("bitround", keepbits=6),), BLOSC, "f", LITTLE_FLOATS),
    Codec("packbits", (codec("packbits"),), ZLIB, "b"),
    Codec(
        "astype",
        (codec("astype", encode_dtype="<i2", decode_dtype=DTYPE),),
        ZLIB,
        "iuf",
        values="small",
    ),
    Codec(
        "astype-f4-big",
        (codec("astype", encode_dtype=">f4", decode_dtype=DTYPE),),
        None,
        "iuf",
        values="small",
        # As a codec of v3 it is one that zarr-python itself misreads: the order of bytes is the array's there.
        v3=False,
    ),
    Codec("shuffle", (SHUFFLE,), ZLIB, FIXED),
    Codec("fletcher32", (FLETCHER32,), ZLIB),
    Codec("crc32", (codec("crc32"),), ZLIB),
    Codec("crc32c", (codec("crc32c"),), None),
    Codec("adler32", (codec("adler32"),), codec("zstd", level=1)),
    Codec("jenkins_lookup3", (codec("jenkins_lookup3", initval=0, prefix=None),), None),
    Codec("base64", (codec("base64"),), ZLIB, v3=False),
    # As kerchunk describes netCDF-4; checksums stand over any number of bytes.
    Codec("shuffle-zlib-fletcher32", (SHUFFLE, ZLIB, FLETCHER32), None, FIXED),
    Codec("zlib-as-filter", (ZLIB,), None),
    Codec("blosc-fletcher32", (BLOSC, FLETCHER32), None),
    Codec("delta-shuffle", (DELTA, SHUFFLE), codec("zstd", level=3), "iu"),
    Codec("fixedscaleoffset-crc32", (FIXED_SCALE, codec("crc32")), ZLIB, "f", values="small"),
    Codec("bitround-shuffle", (codec("bitround", keepbits=3), SHUFFLE), codec("lz4"), "f", LITTLE_FLOATS),
    Codec(
        "categorize",
        (codec("categorize", dtype=DTYPE, astype="|u1", labels=["", "a", "é", "abcde"]),),
        ZLIB,
        "U",
        v3=False,
    ),
]

# These, other parameters of the same codecs, meet some types.
SOME = ("int32", "float64-big", "text", "unicode5", "record")
CNAMES = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
# Of whole groups of four bytes, which numcodecs wants for a shuffle of so many.
OF_4_BYTES = ("int32", "float64-big", "unicode5")
LZMA2 = {"id": 0x21, "preset": 1}
VARIANTS = [
    *[
        Codec(
            f"blosc-{cname}-{name}",
            compressor=codec("blosc", cname=cname, clevel=5, shuffle=shuffle, blocksize=0),
        )
        for cname in CNAMES
        for name, shuffle in [("auto", -1), ("noshuffle", 0), ("shuffle", 1), ("bitshuffle", 2)]
    ],
    Codec("blosc-bare", compressor=codec("blosc")),
    Codec("blosc-0", compressor=codec("blosc", cname="zstd", clevel=0, shuffle=1)),
    Codec("blosc-blocks", compressor=codec("blosc", cname="lz4", clevel=9, shuffle=2, blocksize=128)),
    Codec("blosc-typesize", compressor=codec("blosc", cname="lz4", clevel=5, shuffle=1, typesize=2)),
    *[Codec(f"zstd-level{n}", compressor=codec("zstd", level=n)) for n in [-100, -1, 0, 22]],
    Codec("zstd-bare", compressor=codec("zstd")),
    Codec("zstd-checksum", compressor=codec("zstd", level=3, checksum=True)),
    Codec("lz4-bare", compressor=codec("lz4")),
    Codec("lz4-100", compressor=codec("lz4", acceleration=100)),
    *[Codec(f"{name}-bare", compressor=codec(name)) for name in ["gzip", "zlib", "bz2", "lzma"]],
    *[
        Codec(f"{name}-level{n}", compressor=codec(name, level=n))
        for name in ["gzip", "zlib"]
        for n in [-1, 0, 9]
    ],
    # No writer of Zarr v3 takes the first.
    *[Codec(f"bz2-level{n}", compressor=codec("bz2", level=n), v3=n > 0) for n in [-1, 9]],
    Codec("lzma-9", compressor=codec("lzma", format=1, check=-1, preset=9, filters=None)),
    Codec("lzma-sha256", compressor=codec("lzma", format=1, check=10, preset=1, filters=None)),
    Codec("lzma-unchecked", compressor=codec("lzma", format=1, check=0, preset=1, filters=None)),
    Codec("lzma-alone", compressor=codec("lzma", format=2, check=-1, preset=None, filters=None)),
    Codec("lzma-raw", compressor=codec("lzma", format=3, check=-1, preset=None, filters=[LZMA2])),
    Codec(
        "lzma-delta",
        compressor=codec("lzma", format=3, check=-1, preset=None, filters=[{"id": 3, "dist": 4}, LZMA2]),
    ),
    # Codecs in places where few people put them.
    Codec("crc32-end", (codec("crc32", location="end"),), ZLIB),
    Codec("crc32c-start", (codec("crc32c", location="start"),), ZLIB),
    Codec("adler32-end", (codec("adler32", location="end"),), ZLIB),
    Codec("jenkins-initval", (codec("jenkins_lookup3", initval=7),), ZLIB),
    Codec("shuffle-bare", (codec("shuffle"),), ZLIB, FIXED, OF_4_BYTES),
    Codec("shuffle-3", (codec("shuffle", elementsize=3),), ZLIB, FIXED),
    Codec("shuffle-compressor", compressor=codec("shuffle", elementsize=4), kinds=FIXED, only=OF_4_BYTES),
    Codec("fletcher32-compressor", compressor=FLETCHER32),
    Codec("crc32c-compressor", compressor=codec("crc32c")),
    Codec("base64-compressor", compressor=codec("base64"), v3=False),
    Codec("two-checksums", (codec("crc32"), codec("adler32")), FLETCHER32),
    Codec("delta-i2", (codec("delta", dtype=DTYPE, astype="<i2"),), ZLIB, "iu", values="small"),
    Codec("delta-twice", (DELTA, DELTA), ZLIB, "iu"),
    Codec(
        "quantize-astype",
        (QUANTIZE, codec("astype", encode_dtype="<f4", decode_dtype=DTYPE)),
        ZLIB,
        "f",
        values="small",
    ),
]

CODECS = [*COMPRESSORS, *FILTERS, *VARIANTS]
CODEC = {one.name: one for one in CODECS}


# Fill values


@dataclass(frozen=True)
class Fill:
    name: str
    # The token in `.zarray`, which need not be JSON.
    token: str
    kinds: str
    only: tuple[str, ...] = ()
    # What it is, where zarr-python 3.1 cannot read it.
    value: object = None
    refused: str | None = None

    def takes(self, one: Type) -> bool:
        return one.kind in self.kinds and (not self.only or one.name in self.only)


TIMES_WITH_UNIT = [one.name for one in TIMES if not one.name.endswith("generic")]
FILLS = [
    Fill("null", "null", EVERY),
    Fill("zero", "0", "biufMm"),
    Fill("seven", "7", "iufMm"),
    Fill("zero-point", "0.0", "iuf"),
    Fill("seven-point", "7.0", "iuf"),
    Fill("quoted-zero", '"0"', "iuf"),
    Fill("quoted", '"7"', "iuf"),
    Fill("negative", "-1", "ifMm"),
    # Bool.
    Fill("true", "true", "b"),
    Fill("false", "false", "b"),
    Fill("one", "1", "b"),
    Fill("quoted-zero-is-true", '"0"', "b"),
    # Integers.
    # Of times it is none; those without a unit have it as "NaT" only, for zarr-python.
    Fill("lowest", str(-(2**63)), "imM", ("int64", "int64-big", *TIMES_WITH_UNIT)),
    Fill("lowest-point", "-9.223372036854776e+18", "i", ("int64", "int64-big")),
    Fill("highest", str(2**64 - 1), "u", ("uint64", "uint64-big")),
    Fill("minus-one-for-unsigned", "-1", "u", ("uint32", "uint64-big"), value=-1),
    # Floats.
    Fill("nan", '"NaN"', "f"),
    Fill("bare-nan", "NaN", "f"),
    Fill("inf", '"Infinity"', "f"),
    Fill("bare-inf", "Infinity", "f"),
    Fill("minus-inf", '"-Infinity"', "f"),
    Fill("bare-minus-inf", "-Infinity", "f"),
    Fill("quoted-real", '"-3.5"', "f"),
    Fill("tenth", "0.1", "f"),
    Fill("minus-zero", "-0.0", "f"),
    Fill("large", "1e+20", "f"),
    Fill("subnormal", "5e-324", "f", ("float64", "float64-big")),
    Fill("17-digits", "0.30000000000000004", "f", ("float64", "float64-big")),
    # Complex numbers.
    Fill("pair", "[1.5, -2.25]", "c"),
    Fill("pair-of-integers", "[1, 0]", "c"),
    Fill("pair-nan", '["NaN", "-Infinity"]', "c"),
    Fill("pair-bare-nan", "[NaN, 0.0]", "c"),
    # Times.
    Fill("nat", '"NaT"', "Mm"),
    # Bytes, in base64 as zarr-python 2 wrote them.
    Fill("empty", '""', "SUV" + TEXT + BYTES),
    Fill("base64", '"YWI="', "SV" + BYTES),
    Fill("base64-long", '"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo="', "SV"),
    Fill("base64-zeros", '"AAAA"', "S"),
    Fill("base64-high", '"/+8="', BYTES),
    # Text.
    Fill("text", '"né"', "U" + TEXT),
    Fill("text-escaped", '"\\ud83d\\ude00\\u0000x"', TEXT),
    Fill("text-long", '"longer than any of them"', "U" + TEXT),
    # What zarr-python 2 wrote for objects if nobody asked for another.
    Fill("text-zero", "0", TEXT),
    Fill("text-number", "0.5", TEXT),
    # Records: base64 of their bytes, or the 0 of older versions.
    Fill("record-zeros", '"AAAAAAAAAAAAAAAAAA=="', RECORD, ("record",)),
    Fill("record-base64", '"AQAAAAAAAAAAAIA/AQ=="', RECORD, ("record",)),
    Fill("record-big-base64", '"AAAAAT/wAAAAAAAAAgA="', RECORD, ("record-big",)),
    Fill("record-one-base64", '"AAAAAAAA8D8="', RECORD, ("record-one",)),
    Fill("record-text-base64", '"bgAAAOkAAAAAAAAAAAAAAHh5APv/////////"', RECORD, ("record-text",)),
    Fill("record-raw-base64", '"YWIAAADAPwAAAMA="', RECORD, ("record-raw",)),
    Fill("record-zero", "0", RECORD, ("record", "record-big", "record-one", "record-nested"), value=0),
    # The 0 of older versions again.
    Fill(
        "zero-for-another",
        "0",
        "cSUV",
        ("complex64", "complex128-big", "bytes5", "unicode5", "raw3"),
        value=0,
    ),
    # What is no value of the type.
    Fill("word", '"ab"', "iuf", ("int32", "float32"), refused="not a number"),
    Fill("half", "0.5", "iu", ("int16", "uint8"), refused="not an integer"),
    Fill("too-large", "300", "iu", ("int8", "uint8"), refused="beyond the range of the type"),
    Fill("no-base64", '"ab"', "S", ("bytes5",), refused="not base64"),
]
FILL = {one.name: one for one in FILLS}

# zarr-python 3.1 reads each of these types and each of these fill values, but not the two together: of the first
# it cannot make the zero, the others are points of time without a unit.
NULL_OF_RAW = ("record-raw", "null")
TIMES_WITHOUT_UNIT = {("datetime64-generic", fill) for fill in ["zero", "seven", "negative"]}


# The table


@dataclass(frozen=True)
class Row:
    """An array of Zarr v2."""

    type: Type
    codec: Codec
    fill: Fill
    order: str = "C"

    @property
    def name(self) -> str:
        return f"{self.codec.name}.{self.fill.name}.{self.order}"

    @property
    def by_zarr_python(self) -> bool:
        """Whether zarr-python 3.1 reads it."""
        return (
            self.type.by_zarr_python
            and self.fill.value is None
            and self.fill.refused is None
            and (self.type.name, self.fill.name) not in {NULL_OF_RAW, *TIMES_WITHOUT_UNIT}
        )

    @property
    def refused(self) -> str | None:
        """Why it is refused."""
        unit = (self.type.name, self.fill.name) in TIMES_WITHOUT_UNIT and "a time without a unit"
        return self.type.refused or self.fill.refused or unit or None


def codecs_of(one: Type) -> list[Codec]:
    some = [c for c in VARIANTS if one.name in SOME]
    return [c for c in [*COMPRESSORS, *FILTERS, *some] if c.takes(one)]


def fills_of(one: Type) -> list[Fill]:
    return [f for f in FILLS if f.takes(one) and not Row(one, CODEC["none"], f).refused]


def v2_rows(one: Type) -> Iterator[Row]:
    """Each codec and each fill value that there is for a type, in both orders in turns."""
    codecs, fills = codecs_of(one), fills_of(one)
    # A codec shall get the other order with the next type, and a fill value in its next round.
    at, shift = TYPES.index(one), 1 - len(fills) % 2
    for k in range(max(len(codecs), len(fills))):
        order = "CF"[(at + at // 2 + k + shift * (k // len(fills))) % 2]
        yield Row(one, codecs[k % len(codecs)], fills[k % len(fills)], order)


# All that is refused.
REFUSED = [
    *(Row(one, CODEC["zlib"], FILL["null"]) for one in REFUSED_TYPES),
    *(Row(one, CODEC["none"], fill) for fill in FILLS if fill.refused for one in TYPES if fill.takes(one)),
    *(Row(TYPE[type_], CODEC["none"], FILL[fill]) for type_, fill in sorted(TIMES_WITHOUT_UNIT)),
]


# Zarr v3. zarr-python writes and reads the same types, but for byte orders, and numcodecs as `numcodecs.NAME`.

# What Zarr v3 has of its own.
NATIVE = [
    Codec("v3-none"),
    Codec("v3-zstd", compressor={"name": "zstd", "configuration": {"level": 3, "checksum": True}}),
    Codec("v3-gzip", compressor={"name": "gzip", "configuration": {"level": 5}}),
    Codec(
        "v3-blosc",
        compressor={
            "name": "blosc",
            "configuration": {
                "cname": "zstd",
                "clevel": 5,
                "shuffle": "shuffle",
                "typesize": 4,
                "blocksize": 0,
            },
        },
    ),
    Codec("v3-crc32c", compressor={"name": "crc32c"}),
    Codec("v3-transpose", ({"name": "transpose", "configuration": {"order": [1, 0]}},)),
    # Other types have no order of bytes, or have it in their fields.
    Codec("v3-big", ({"name": "bytes", "configuration": {"endian": "big"}},), kinds=NUMBERS + "MmU"),
]
ARRAY_TO_ARRAY = {"transpose", "delta", "fixedscaleoffset", "quantize", "bitround", "packbits", "astype"}


# Of these zarr-python 3.1 writes documents or shards that it cannot read again.
NOT_BY_ZARR_PYTHON = {"datetime64-generic"}
NOT_IN_SHARDS = {"timedelta64-generic", *(one.name for one in TYPES if one.kind in "V" + RECORD)}
# zarr-python 3.1 takes the stored type of a quantize for that of the array, and the order of bytes from the array too.
NOT_BY_NUMCODECS_IN_V3 = {
    *itertools.product(["float16", "float64"], ["quantize-f4"]),
    *itertools.product(["int8", "uint8"], ["fixedscaleoffset", "astype"]),
}


def v3_types() -> list[Type]:
    """Every type that Zarr v3 has, once."""
    known = [one for one in TYPES if one.by_zarr_python and one.name not in NOT_BY_ZARR_PYTHON]
    return [one for one in known if not one.name.endswith("-big")]


def v3_codecs_of(one: Type) -> list[Codec]:
    there = [c for c in codecs_of(one) if c.v3 and (one.name, c.name) not in NOT_BY_NUMCODECS_IN_V3]
    return [*(c for c in NATIVE if c.takes(one)), *there]
