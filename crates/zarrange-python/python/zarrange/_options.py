"""What ``target_options`` says, in the words of rechunker, of Zarr v2 and of Zarr v3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Every option that is understood, those of rechunker first.
KNOWN = (
    "compressor",
    "filters",
    "order",
    "cache_metadata",
    "cache_attrs",
    "overwrite",
    "write_empty_chunks",
    "compressors",
    "serializer",
    "shards",
    "chunk_key_encoding",
    "dimension_separator",
)

#: Those that change nothing of what is stored.
_OF_HANDLES = ("cache_metadata", "cache_attrs", "write_empty_chunks")

#: Nothing is said.
KEPT = object()

_CODECS = ("compressor", "compressors", "filters", "serializer", "order")


@dataclass(frozen=True)
class ArrayOptions:
    """What is asked for one array of the target, beside its chunks."""

    codecs: str | None = None
    #: None is without shards.
    shards: Any = KEPT
    separator: str | None = None
    overwrite: bool = False


def array_options(options: Mapping[str, Any] | None, parameter: str, array: Any) -> ArrayOptions:
    """What `options` asks for.

    Parameters
    ----------
    options : mapping or None
        Any of `KNOWN`.
    parameter : str
        What it is called in messages.
    array : zarr.Array or array-like
        The source: codecs are made for elements of its type.

    Raises
    ------
    ValueError
        For an option that is not known, or a value that Zarr does not have.
    """
    options = dict(options or {})
    for name, value in options.items():
        if name not in KNOWN:
            raise ValueError(
                f"Zarr options must not include {name} (got {name}={value!r} in {parameter}). Only the following options are supported: "
                f"{list(KNOWN)}."
            )
    codecs = {name: options[name] for name in _CODECS if name in options}
    if not hasattr(array, "store_path") and "compressor" not in codecs:
        # What is computed has no codecs of its own: those of zarr, as dask takes them.
        codecs = {"compressors": "auto"} | codecs
    return ArrayOptions(
        codecs=json.dumps(_codec_list(codecs, array, parameter)) if codecs else None,
        shards=options.get("shards", KEPT),
        separator=_separator(options),
        overwrite=bool(options.get("overwrite", False)),
    )


def _separator(options: Mapping[str, Any]) -> str | None:
    encoding = options.get("chunk_key_encoding")
    if encoding is None:
        return options.get("dimension_separator")
    if not isinstance(encoding, Mapping):
        encoding = encoding.to_dict()
    if encoding.get("name") != "default":
        raise ValueError(
            f"chunk_key_encoding={encoding!r}: the keys of the target are those of Zarr v3 ('default')"
        )
    return encoding.get("separator") or encoding.get("configuration", {}).get("separator", "/")


def _codec_list(asked: Mapping[str, Any], array: Any, parameter: str) -> list[Any]:
    """The codecs of a chunk as Zarr v3 lists them. What is not asked for is what zarr-python takes by itself."""
    import numpy as np
    import zarr
    from zarr.codecs import TransposeCodec
    from zarr.storage import MemoryStore

    dtype, rank = np.dtype(array.dtype), len(array.shape)
    if "compressor" in asked and "compressors" in asked:
        raise ValueError(f"{parameter} has compressor and compressors: give one of them")
    compressors = asked.get("compressors", asked.get("compressor", _kept(array, "compressors")))
    filters = _listed(asked.get("filters", _kept(array, "filters")))
    if asked.get("order", "C") not in ("C", "F"):
        raise ValueError(f"order={asked['order']!r} in {parameter} is neither 'C' nor 'F'")
    if "order" in asked:
        given = [] if filters in ("auto", None) else filters
        filters = [codec for codec in given if not isinstance(codec, TransposeCodec)]
        if asked["order"] == "F" and rank > 1:
            filters = [TransposeCodec(order=tuple(range(rank))[::-1]), *filters]
    try:
        made = zarr.create_array(
            MemoryStore(),
            shape=(1,) * rank,
            chunks=(1,) * rank,
            dtype=dtype,
            filters=_in_v3(filters, dtype),
            compressors=_in_v3(_listed(compressors), dtype),
            serializer=asked.get("serializer", _kept(array, "serializer")),
            zarr_format=3,
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"{parameter}: {dict(asked)!r} are no codecs of Zarr v3: {error}") from error
    document: Any = made.metadata.to_dict()
    return document["codecs"]


def _kept(array: Any, name: str) -> Any:
    """The codecs of the source, where it is an array of zarr; otherwise those that zarr chooses."""
    import zarr

    if not isinstance(array, zarr.Array):
        return "auto"
    kept = getattr(array, name, None)
    return "auto" if kept is None and name == "serializer" else kept


def _listed(codecs: Any) -> Any:
    """One codec or several as a list."""
    if codecs is None:
        return None
    if isinstance(codecs, (list, tuple, str)):
        return codecs
    return [codecs]


def _in_v3(codecs: Any, dtype: Any) -> Any:
    """Codecs of numcodecs as those of Zarr v3."""
    if codecs is None or isinstance(codecs, str):
        return codecs
    return [_one_in_v3(codec, dtype) for codec in codecs]


def _one_in_v3(codec: Any, dtype: Any) -> Any:
    import numcodecs.abc

    if isinstance(codec, Mapping) and "id" in codec:
        codec = numcodecs.get_codec(dict(codec))
    if not isinstance(codec, numcodecs.abc.Codec):
        return codec
    from zarr import codecs as v3
    from zarr.codecs import numcodecs as wrapped

    config: dict[str, Any] = codec.get_config()
    name = config.pop("id")
    if name == "blosc":
        shuffle = config["shuffle"]
        if shuffle == -1:
            shuffle = 2 if dtype.itemsize == 1 else 1
        words: list[Any] = ["noshuffle", "shuffle", "bitshuffle"]
        return v3.BloscCodec(
            typesize=dtype.itemsize,
            cname=config["cname"],
            clevel=config["clevel"],
            shuffle=words[shuffle],
            blocksize=config["blocksize"],
        )
    if name == "zstd":
        return v3.ZstdCodec(level=config["level"], checksum=config.get("checksum", False))
    if name == "gzip":
        return v3.GzipCodec(level=config["level"])
    for found in vars(wrapped).values():
        if getattr(found, "codec_name", None) == f"numcodecs.{name}":
            return found(**config)
    raise ValueError(f"{codec!r} has no place in Zarr v3: use one of zarr.codecs")
