"""Writes numcodecs.json: chunks, codec lists, and what numcodecs makes of them, for tests/vectors.rs.

    pip install numcodecs==0.16.6 google-crc32c && python make.py

Made with numpy 2.4.6 on x86-64 and Python 3.11. Types come in the order of `DATA`; a list is either that of Zarr v3, with the codecs
on numbers before `bytes`, or that of a Zarr v2 pipeline, where they stand behind it and say in which byte order the numbers are.
"""

import base64
import itertools
import json
import pathlib
import warnings

import numcodecs
import numpy as np
from numcodecs.compat import ensure_bytes

warnings.simplefilter("ignore")

NAMES = {
    "b1": "bool", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8", "u2": "uint16", "u4": "uint32",
    "u8": "uint64", "f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64", "c16": "complex128",
}  # fmt: skip
TYPES = list(NAMES)


def numbers(kind, count):
    """Numbers that depend on their index, small and large."""
    k = np.arange(count)
    match kind[0]:
        case "b":
            return k * k % 5 < 2
        case "i" | "u":
            bits = 8 * int(kind[1:])
            large = (k.astype("u8") * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)
            return np.where(k % 3 == 0, large, k * 7 % 50).astype(kind)
        case "f":
            return np.where(k % 4 == 0, k * 13 % 17 + k / 7, k * k * 0.37 - 20).astype(kind)
        case "c":
            return (numbers("f8", count) + 1j * numbers("f8", count)[::-1]).astype(kind)


DATA = {kind: numbers(kind, 8) for kind in TYPES}
DATA["ramp"] = numbers("i4", 530)
DATA["noise"] = numbers("u8", 40)
DATA["waves"] = (np.sin(np.arange(77) / 9) * 300).astype("f4")
DATA["flags"] = numbers("b1", 603)
DATA["odd"] = numbers("u1", 111)
# What C leaves undefined, where numpy always gives the same.
DATA["wild"] = np.array([np.nan, np.inf, -np.inf, 1e10, -1e10, 1e19, 1.8e19, -1.5, 300.7, 7e4, -300.7, 2.0**63, 2.0**64, -(2.0**63), 0.5, -0.0])
DATA["wild4"] = DATA["wild"].astype("f4")
DATA["wild2"] = DATA["wild"].astype("f2")
DATA["halves"] = np.array([1.0004882812500002, 65519.99, 65520, 2.0**-25, 2.0**-25 * 1.0000001, 1e-5, 6.1e-5, 0.1, 1e-8, 3e-6])
DATA["whole"] = np.array([2**53 + 1, 2**62 + 2**37 + 1, 65519, 65520, 2**24 + 1, 33555457, -(2**62), 2049], "i8")

entries = []


def text(data):
    return base64.b64encode(ensure_bytes(np.ascontiguousarray(data))).decode().rstrip("=")


def add(data, codecs, order="=", behind=True, exact=True):
    """`codecs` are configurations of numcodecs. With `behind` they stand behind `bytes`, else those on numbers before it."""
    array = DATA[data]
    array = array.astype(array.dtype.newbyteorder(order))
    made = [numcodecs.get_codec(codec) for codec in codecs]
    encoded = array
    for codec in made:
        encoded = codec.encode(encoded)
    decoded = encoded = ensure_bytes(encoded)
    for codec in made[::-1]:
        decoded = codec.decode(decoded)
    decoded = np.frombuffer(ensure_bytes(decoded), array.dtype).astype(array.dtype.newbyteorder("="))
    filters = {"delta", "fixedscaleoffset", "quantize", "bitround", "packbits", "astype"}
    before = 0 if behind else sum(codec["id"] in filters for codec in codecs)
    entry = {
        "data": data,
        # The byte order stands for `bytes`.
        "codecs": codecs[:before] + [">" if order == ">" else "<"] + codecs[before:],
        "encoded": text(np.frombuffer(encoded, "u1")),
    }
    # NaN is not itself.
    if decoded.tobytes() != DATA[data].tobytes():
        entry["decoded"] = text(decoded)
    if not exact:
        entry["exact"] = False
    entries.append(entry)


def attempt(*args, **kwargs):
    """What numpy refuses is left out."""
    try:
        add(*args, **kwargs)
    except (OverflowError, TypeError, ValueError):
        pass


# Every pair of types, with both byte orders.
for n, (dtype, astype) in enumerate(itertools.product(TYPES, TYPES)):
    decoded, encoded = "<>"[n % 2] + dtype, "<>"[n // 2 % 2] + astype
    ids = {"id": "delta", "dtype": decoded, "astype": encoded}
    # Floats to these give this or that where they do not fit.
    if not (dtype == "u4" and astype[0] in "fc"):
        attempt(dtype, [ids], order="<>"[n % 2])
    # Floats that do not fit are undefined.
    if not (dtype[0] in "fc" and astype[0] in "iu"):
        add(dtype, [{"id": "astype", "decode_dtype": decoded, "encode_dtype": encoded}], order="<>"[n % 2])
for dtype in TYPES:
    ids = {"id": "delta", "dtype": dtype}
    attempt(dtype, [ids], behind=False)
    for k, (offset, scale) in enumerate([(0, 10), (3, 1), (-2.5, 3), (1, 0.25), (1000, 7.3)]):
        for astype in [None, ["u1", "i2", "f4", "f2", "c8"][k]]:
            if dtype[0] in "fc" and astype in ("i2", "u1") and k > 1:
                continue
            fso = {"id": "fixedscaleoffset", "offset": offset, "scale": scale, "dtype": dtype}
            attempt(dtype, [fso | ({"astype": astype} if astype else {})], behind=False)
for dtype, digits in itertools.product(["f2", "f4", "f8"], [-2, 0, 1, 3, 7]):
    attempt(dtype, [{"id": "quantize", "digits": digits, "dtype": dtype}], behind=False)
    attempt(dtype, [{"id": "quantize", "digits": digits, "dtype": ">" + dtype, "astype": "<f4"}], order=">")
for dtype, keep in itertools.product(["f2", "f4", "f8"], [0, 1, 5, 9, 10]):
    # numcodecs knows it in the order of the machine only.
    add(dtype, [{"id": "bitround", "keepbits": keep}], behind=keep % 2 == 0)
add("f8", [{"id": "bitround", "keepbits": 51}], behind=False)
for data, kinds in {
    "wild": ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "b1", "f2", "f4", "c8"],
    "wild4": ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "b1", "f2"],
    "wild2": ["i1", "u1", "i2", "u2", "i4", "i8", "u8", "b1"],
    "halves": ["f2", "f4"],
    "whole": ["f2", "f4", "f8", "u8"],
}.items():
    for kind in kinds:
        add(data, [{"id": "astype", "decode_dtype": DATA[data].dtype.str, "encode_dtype": kind}], behind=False)
# More than a block of numbers.
add("ramp", [{"id": "delta", "dtype": "i4", "astype": "i8"}], behind=False)
add("waves", [{"id": "fixedscaleoffset", "offset": -300, "scale": 100, "dtype": "f4", "astype": "u2"}], behind=False)
for data in ["flags", "b1", "odd"]:
    add(data, [{"id": "packbits"}])
add("odd", [{"id": "shuffle", "elementsize": 3}])
add("odd", [{"id": "shuffle", "elementsize": 1}])
add("ramp", [{"id": "shuffle", "elementsize": 4}], order=">")
add("noise", [{"id": "shuffle", "elementsize": 16}])
add("odd", [{"id": "base64"}])
add("noise", [{"id": "base64"}])
for name, data in itertools.product(["crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3"], ["odd", "noise"]):
    add(data, [{"id": name}])
for name in ["crc32", "crc32c", "adler32"]:
    for location in ["start", "end"]:
        add("odd", [{"id": name, "location": location}])
add("odd", [{"id": "jenkins_lookup3", "initval": 4_000_000_000}])
add("c16", [{"id": "fletcher32"}])
# Compressors: others may write other bytes, but must read these.
delta = {"id": 3, "dist": 4}
lzma = [
    {}, {"preset": 9}, {"check": 0}, {"check": 10, "preset": 1}, {"format": 2},
    {"format": 3, "filters": [delta, {"id": 33, "preset": 1}]},
    {"format": 3, "filters": [{"id": 0x4000000000000001, "dict_size": 65536, "lc": 1, "lp": 2, "pb": 0, "mode": 1, "mf": 4, "nice_len": 32, "depth": 8}]},
    {"format": 3, "filters": [{"id": 4}, {"id": 33}]},
]  # fmt: skip
compressors = [{"id": "lzma"} | configuration for configuration in lzma]
compressors += [{"id": "zlib", "level": level} for level in (-1, 0, 1, 9)]
compressors += [{"id": "gzip", "level": level} for level in (0, 1, 9)]
compressors += [{"id": "bz2", "level": level} for level in (1, 9)]
compressors += [{"id": "lz4", "acceleration": n} for n in (1, 50)]
compressors += [{"id": "zstd", "level": level} for level in (-5, 0, 3, 19)] + [{"id": "zstd", "checksum": True}]
for cname, shuffle in itertools.product(["blosclz", "lz4", "lz4hc", "zlib", "zstd"], [-1, 0, 1, 2]):
    compressors.append({"id": "blosc", "cname": cname, "clevel": 5, "shuffle": shuffle})
for compressor in compressors:
    for data in ["waves"] if compressor["id"] == "blosc" else ["waves", "odd"]:
        filters = [] if data == "odd" or compressor.get("format") else [{"id": "bitround", "keepbits": 3}]
        try:
            add(data, [*filters, compressor], exact=False)
        except ValueError as error:
            raise ValueError(compressor) from error
# Several in a row.
add("ramp", [{"id": "delta", "dtype": ">i4"}, {"id": "shuffle", "elementsize": 4}, {"id": "zlib", "level": 1}, {"id": "fletcher32"}], order=">", exact=False)
add("ramp", [{"id": "delta", "dtype": "i4"}, {"id": "crc32"}, {"id": "lz4"}, {"id": "bz2"}, {"id": "adler32"}], behind=False, exact=False)
add("waves", [{"id": "fixedscaleoffset", "offset": 0, "scale": 8, "dtype": "<f4", "astype": "<i2"}, {"id": "delta", "dtype": "<i2"}, {"id": "gzip"}, {"id": "base64"}], exact=False)
add("ramp", [{"id": "astype", "decode_dtype": ">i4", "encode_dtype": ">i8"}, {"id": "shuffle", "elementsize": 8}, {"id": "crc32c"}, {"id": "crc32"}], order=">")
add("flags", [{"id": "packbits"}, {"id": "delta", "dtype": "u1"}, {"id": "jenkins_lookup3"}])

# Text and bytes, 3 * 4 of them, in C order and in that of Fortran.
texts = ["" if k % 5 == 0 else "αβγδ"[k % 4] * k + str(k) for k in range(12)]
variable = []
for order, kind in itertools.product("CF", ["utf8", "bytes"]):
    items = texts if kind == "utf8" else [item.encode("utf-16") for item in texts]
    array = np.array(items, object).reshape(3, 4).copy(order)
    for codecs in [[], [{"id": "zlib", "level": 9}, {"id": "crc32"}], [{"id": "blosc", "clevel": 1}]]:
        codecs = [{"id": "vlen-" + kind}, *codecs]
        encoded = array
        for codec in codecs:
            encoded = numcodecs.get_codec(codec).encode(encoded)
        variable.append({"order": order, "codecs": codecs, "items": [text(np.frombuffer(item.encode() if kind == "utf8" else item, "u1")) for item in items], "encoded": text(np.frombuffer(ensure_bytes(encoded), "u1"))})
for astype in ["u1", "<i2", ">u4"]:
    codec = {"id": "categorize", "labels": texts[1:5], "dtype": "O", "astype": astype}
    made = numcodecs.get_codec(codec)
    encoded = made.encode(np.array(texts, object))
    decoded = [str(item) for item in made.decode(encoded)]
    codecs = [codec, {"id": "shuffle", "elementsize": np.dtype(astype).itemsize}]
    encoded = numcodecs.get_codec(codecs[1]).encode(encoded)
    variable.append({"order": "C", "codecs": codecs, "items": [text(np.frombuffer(item.encode(), "u1")) for item in decoded], "encoded": text(encoded)})

lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
kinds = {data: {"type": NAMES[array.dtype.kind + str(array.dtype.itemsize)], "bytes": text(array)} for data, array in DATA.items()}
out = '{"data":' + json.dumps(kinds, separators=(",", ":")) + ',\n"entries":[\n' + ",\n".join(lines) + '\n],"variable":[\n' + ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in variable) + "\n]}\n"
pathlib.Path(__file__).with_name("numcodecs.json").write_text(out)
print(len(entries), "entries,", len(out), "bytes")
