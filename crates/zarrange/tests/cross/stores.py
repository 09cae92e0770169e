"""Stores of the kinds that people have, byte by byte: documents as text, chunks through numcodecs.

No zarr is used here, so that documents may say what no version of it would write. The stores of
`hierarchies.py` are written by the libraries themselves.
"""

import itertools
import json
from pathlib import Path

import numcodecs
import numpy as np
from formats import BYTES, RECORD, TEXT, Row, Type
from numcodecs.compat import ensure_bytes

# Ragged at both edges, with an odd number of elements in a chunk.
SHAPE, CHUNKS = (7, 5), (3, 3)
# Read as the fill value.
MISSING = (1, 0)

WORDS = ["", "a", "é", "NGC 7", "日本", "😀b", "abcde", "0"]


# Values


def native(one: Type) -> np.dtype:
    """The type in numpy, in its own byte order."""
    if one.kind in (TEXT, BYTES):
        return np.dtype(object)
    return record(one.v2) if one.kind == RECORD else np.dtype(one.v2)


def record(fields: list) -> np.dtype:
    return np.dtype([(name, record(of) if isinstance(of, list) else of) for name, of in fields])


def elements(dtype: np.dtype, count: int, values: str = "any") -> np.ndarray:
    """Another value at each index, as far as the type has them; "small" ones are positive and finite."""
    index = np.arange(count)
    if dtype.names:
        data = np.zeros(count, dtype)
        for k, name in enumerate(dtype.names):
            data[name] = elements(dtype[name], count + k, values)[k:]
        return data
    match dtype.kind:
        case "b":
            data = index * index % 7 % 2 == 0
        case "U":
            data = np.array([WORDS[k % len(WORDS)] for k in index], dtype)
        case "S":
            data = np.array([b"\xff\0%d" % k if k % 5 else b"" for k in index], dtype)
        case "V":
            data = np.frombuffer(
                b"".join(
                    (k * 0x9E3779B97F4A7C15 + 5 << 64).to_bytes(17 + dtype.itemsize)[-dtype.itemsize :]
                    for k in map(int, index)
                ),
                dtype,
            )
        case _ if values == "small":
            data = index * 7 % 101 / (4 if dtype.kind in "fc" else 1)
        case "f":
            data = (index - count // 2) / 7
            for start, special in enumerate([np.nan, np.inf, -np.inf, -0.0], start=1):
                data[start::11] = special
        case "c":
            parts = elements(np.dtype("f8"), 2 * count)
            return parts.astype(f"f{dtype.itemsize // 2}").view(f"c{dtype.itemsize}").astype(dtype)
        case _:
            # Any two neighbours differ in all bytes. Times: NaT is one of the numbers.
            spread = index.astype("u8") * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - 8 * dtype.itemsize)
            data = spread.astype(f"u{dtype.itemsize}")
            if dtype.kind in "Mm":
                data[3] = 1 << 63
            kept = dtype.newbyteorder("=")
            return data.view(kept).astype(dtype)
    return data.astype(dtype)


def values(one: Type, shape, which: str = "any") -> np.ndarray:
    count = int(np.prod(shape))
    if one.object_codec and "labels" in one.object_codec:
        # Anything else would become the empty one.
        known = ["", *one.object_codec["labels"]]
        flat = np.array([known[k % len(known)] for k in range(count)], object)
    elif one.kind == TEXT:
        flat = np.array([WORDS[k % len(WORDS)] * (k % 3) for k in range(count)], object)
    elif one.kind == BYTES:
        flat = np.array([bytes([k, 0, 255 - k]) * (k % 4) for k in range(count)], object)
    else:
        flat = elements(native(one), count, which)
    return flat.reshape(shape)


# Arrays of Zarr v2


def encoder(configuration: dict):
    """The codec that encodes what `configuration` decodes: a level of -1 or none is for readers only."""
    kept = {k: v for k, v in configuration.items() if k != "level" or v >= 0 or configuration["id"] == "zstd"}
    return numcodecs.get_codec(kept)


def encode(chunk: np.ndarray, filters: list[dict], compressor: dict | None) -> bytes:
    if chunk.dtype.names:
        # Records are bytes to every codec, and numcodecs takes no times among them.
        chunk = chunk.view(f"V{chunk.dtype.itemsize}")
    for each in [*filters, *([compressor] if compressor else [])]:
        chunk = encoder(each).encode(chunk)
    return ensure_bytes(chunk)


class Token(str):
    """A piece of a document that stands there as it is, and need not be JSON."""


def document(**members) -> str:
    """A JSON object, of values and tokens."""
    tokens = {k: v if isinstance(v, Token) else json.dumps(v, ensure_ascii=False) for k, v in members.items()}
    return "{" + ", ".join(f"{json.dumps(k)}: {v}" for k, v in tokens.items()) + "}"


def write_array(
    path: Path,
    data: np.ndarray,
    *,
    chunks=None,
    dtype: str | list | None = None,
    fill: str = "0",
    order: str = "C",
    filters: list[dict] = (),
    compressor: dict | None = None,
    attributes: str | None = None,
    missing=(),
    **members,
) -> None:
    """Writes an array of Zarr v2. `fill` is a token; `members` are further ones of the document, or replace its own."""
    chunks = chunks or tuple(max(n, 1) for n in data.shape)
    path.mkdir(parents=True, exist_ok=True)
    described = {
        "zarr_format": 2,
        "shape": data.shape,
        "chunks": chunks,
        "dtype": dtype or data.dtype.str,
        "compressor": compressor,
        "fill_value": Token(fill),
        "order": order,
        "filters": [*filters] or None,
        **members,
    }
    (path / ".zarray").write_text(document(**described), encoding="utf-8")
    if attributes is not None:
        (path / ".zattrs").write_text(attributes, encoding="utf-8")
    padded = np.zeros([-(-n // c) * c for n, c in zip(data.shape, chunks, strict=True)], data.dtype)
    # Beyond the edge lies something.
    padded[...] = data.ravel()[0] if data.size else 0
    padded[tuple(slice(n) for n in data.shape)] = data
    for at in grid(data.shape, chunks):
        if at not in missing:
            chunk = np.array(padded[box(at, chunks)], order=order)
            (path / (".".join(map(str, at)) or "0")).write_bytes(encode(chunk, filters, compressor))


def write_row(path: Path, row: Row) -> np.ndarray:
    """Writes the array of a row of the table; returns what was put in, which a lossy codec does not give back."""
    # Nobody will look at the chunks of what is refused.
    data = np.zeros(SHAPE) if row.type.refused else values(row.type, SHAPE, row.codec.values)
    write_array(
        path,
        data,
        chunks=CHUNKS,
        dtype=row.type.v2,
        fill=row.fill.token,
        order=row.order,
        filters=row.codec.filters_for(row.type),
        compressor=row.codec.compressor,
        attributes=document(type=row.type.name, codec=row.codec.name),
        missing=grid(SHAPE, CHUNKS) if row.type.refused else [MISSING],
    )
    return data


def write_group(path: Path, attributes: str = "{}") -> None:
    path.mkdir(parents=True, exist_ok=True)
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    (path / ".zattrs").write_text(attributes)


def grid(shape, chunks):
    return itertools.product(*(range(-(-n // c)) for n, c in zip(shape, chunks, strict=True)))


def box(at, chunks) -> tuple[slice, ...]:
    return tuple(slice(k * c, k * c + c) for k, c in zip(at, chunks, strict=True))
