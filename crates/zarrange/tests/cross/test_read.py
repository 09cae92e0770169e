"""zarrange reads what zarr-python writes in Zarr v2 and v3, and loses nothing on the way to other chunks."""

import numcodecs
import numpy as np
import pytest
import zarr
from support import (
    ATTRIBUTES,
    CHUNKS,
    SHAPE,
    TARGET,
    WRITE_ALL,
    assert_same,
    check_array,
    metadata,
    open_tensorstore,
    partial,
    plain,
    spec,
    stored,
    values,
)
from zarr.codecs import (
    BZ2,
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    Zlib,
    ZstdCodec,
)

NAMES = ("time", None, "ra")


def check(
    run,
    tmp_path,
    *,
    dtype="i4",
    shape=SHAPE,
    chunks=CHUNKS,
    to=TARGET,
    zarr_format=3,
    data=None,
    fill=0,
    keys=None,
    tensorstore=True,
    **options,
) -> None:
    """Writes an array, rechunks it, reads the target: same values, type, fill value, names, attributes."""
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = values(dtype, shape) if data is None else data
    names = NAMES[: len(shape)] if zarr_format == 3 else None
    array = zarr.create_array(
        src,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        zarr_format=zarr_format,
        fill_value=fill,
        attributes=ATTRIBUTES,
        dimension_names=names,
        chunk_key_encoding=keys,
        **{"config": WRITE_ALL, **options},
    )
    array[...] = data
    run("rechunk", src, dst, "--chunks", spec(to))
    # An array of Zarr v2 without a fill value reads as zeros.
    expected = {"fill": 0 if fill is None else fill, "names": names, "attributes": ATTRIBUTES}
    check_array(dst, data, chunks=to, tensorstore=tensorstore, **expected)
    if zarr_format == 3:
        before, after = metadata(src), metadata(dst)
        assert after["chunk_key_encoding"] == before["chunk_key_encoding"]
        if not isinstance(options.get("serializer"), ShardingCodec):
            assert plain(after["codecs"]) == plain(before["codecs"])
    run("verify", src, dst)


def by_id(cases: dict):
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


# Codecs

# Not snappy, which numcodecs is built without: see below.
BLOSC = [
    (cname, shuffle)
    for cname in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
    for shuffle in ["noshuffle", "shuffle", "bitshuffle"]
]

V3_CODECS = {
    "none": {"compressors": None},
    **{
        f"zstd{level}{'-checksum' * checksum}": {"compressors": ZstdCodec(level=level, checksum=checksum)}
        for level in [-5, 1, 3, 22]
        for checksum in [False, True]
    },
    **{f"blosc-{c}-{s}": {"compressors": BloscCodec(cname=c, shuffle=s, clevel=5)} for c, s in BLOSC},
    "blosc-level0": {"compressors": BloscCodec(clevel=0)},
    "blosc-level9-blocks": {"compressors": BloscCodec(cname="lz4", clevel=9, blocksize=64)},
    # A typesize that is not the element's.
    "blosc-typesize": {"compressors": BloscCodec(typesize=2, shuffle="shuffle")},
    "gzip0": {"compressors": GzipCodec(level=0)},
    "gzip1": {"compressors": GzipCodec(level=1)},
    "gzip9": {"compressors": GzipCodec(level=9)},
    "crc32c": {"compressors": Crc32cCodec()},
    "zstd-crc32c": {"compressors": [ZstdCodec(level=3), Crc32cCodec()]},
    "blosc-crc32c": {"compressors": [BloscCodec(cname="zstd"), Crc32cCodec()]},
    "gzip-crc32c": {"compressors": [GzipCodec(), Crc32cCodec()]},
    "crc32c-zstd": {"compressors": [Crc32cCodec(), ZstdCodec(level=3)]},
    "gzip-zstd": {"compressors": [GzipCodec(), ZstdCodec(level=3)]},
    "transpose021": {"filters": TransposeCodec(order=(0, 2, 1)), "compressors": None},
    "transpose120": {"filters": TransposeCodec(order=(1, 2, 0)), "compressors": None},
    "transpose210-zstd": {"filters": TransposeCodec(order=(2, 1, 0)), "compressors": ZstdCodec()},
    "transpose201-blosc-crc32c": {
        "filters": TransposeCodec(order=(2, 0, 1)),
        "compressors": [BloscCodec(), Crc32cCodec()],
    },
    "transpose-identity": {"filters": TransposeCodec(order=(0, 1, 2)), "compressors": GzipCodec()},
    "transpose-twice": {
        "filters": [TransposeCodec(order=(2, 0, 1)), TransposeCodec(order=(0, 2, 1))],
        "compressors": ZstdCodec(),
    },
    "transpose-big": {
        "filters": TransposeCodec(order=(1, 2, 0)),
        "serializer": BytesCodec(endian="big"),
        "compressors": ZstdCodec(),
    },
    # Not in the specification, and not known to TensorStore.
    "numcodecs-zlib": {"compressors": Zlib(level=1), "tensorstore": False},
    "numcodecs-bz2": {"compressors": BZ2(level=1), "tensorstore": False},
}


@by_id(V3_CODECS)
def test_v3_codecs(run, tmp_path, case):
    check(run, tmp_path, **case)


V2_COMPRESSORS = {
    "none": {"compressors": None},
    "zstd": {"compressors": numcodecs.Zstd(level=3)},
    "zstd-checksum": {"compressors": numcodecs.Zstd(level=3, checksum=True)},
    "gzip": {"compressors": numcodecs.GZip(level=6)},
    **{
        f"blosc-{c}-{s}": {"compressors": numcodecs.Blosc(cname=c, shuffle=shuffle)}
        for c in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
        for s, shuffle in [("noshuffle", 0), ("shuffle", 1), ("bitshuffle", 2), ("auto", -1)]
    },
    # What v3 has no codec of its own for: TensorStore cannot read the target.
    "zlib": {"compressors": numcodecs.Zlib(level=1), "tensorstore": False},
    "bz2": {"compressors": numcodecs.BZ2(level=1), "tensorstore": False},
    "shuffle-zlib": {
        "filters": numcodecs.Shuffle(elementsize=4),
        "compressors": numcodecs.Zlib(level=1),
        "tensorstore": False,
    },
    "F": {"order": "F", "compressors": None},
    "F-zstd": {"order": "F", "compressors": numcodecs.Zstd()},
    "F-big": {"order": "F", "dtype": ">i4", "compressors": numcodecs.Blosc()},
    "F-0d": {"order": "F", "shape": (), "chunks": (), "to": ()},
    "F-1d": {"order": "F", "shape": (100,), "chunks": (7,), "to": (30,)},
}


@by_id(V2_COMPRESSORS)
def test_v2_codecs(run, tmp_path, case):
    check(run, tmp_path, zarr_format=2, **case)


@pytest.mark.parametrize("shuffle", ["noshuffle", "shuffle", "bitshuffle"])
def test_blosc_snappy(run, tmp_path, shuffle):
    # Written and read by TensorStore alone.
    src, dst, plain = tmp_path / "src.zarr", tmp_path / "dst.zarr", tmp_path / "plain.zarr"
    data = values("i4", SHAPE)
    blosc = {"cname": "snappy", "clevel": 5, "shuffle": shuffle, "typesize": 4, "blocksize": 0}
    described = {
        "shape": SHAPE,
        "data_type": "int32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": CHUNKS}},
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "blosc", "configuration": blosc},
        ],
    }
    open_tensorstore(src, create=True, open=False, metadata=described).write(data).result()
    run("rechunk", src, dst, "--chunks", spec(TARGET))
    assert_same(open_tensorstore(dst).read().result(), data, "values by TensorStore")
    assert metadata(dst)["codecs"] == metadata(src)["codecs"]
    run("rechunk", dst, plain, "--chunks", spec(CHUNKS), "--codecs", "none")
    check_array(plain, data, chunks=CHUNKS, fill=0)
    run("verify", src, plain)


# Data types

INTEGERS = [f"{kind}{size}" for kind in "iu" for size in [1, 2, 4, 8]]
FLOATS = ["f2", "f4", "f8", "c8", "c16"]


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("dtype", ["?", *INTEGERS, *FLOATS])
def test_v3_types(run, tmp_path, dtype, endian):
    check(run, tmp_path, dtype=dtype, serializer=BytesCodec(endian=endian), compressors=ZstdCodec())


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("dtype", ["?", *INTEGERS, *FLOATS])
def test_v2_types(run, tmp_path, dtype, endian):
    check(run, tmp_path, dtype=np.dtype(dtype).newbyteorder(endian), zarr_format=2)


TEXT = np.array([f"ö{k}" for k in range(40)], "U4")

# Types that are in no specification yet, or not in that of TensorStore; zarr-python warns of some of them.
OTHER_TYPES = {
    "datetime": (3, "M8[s]", np.arange(40).astype("M8[s]")),
    "timedelta": (3, "m8[ns]", np.arange(40).astype("m8[ns]")),
    "text": (3, "U4", TEXT),
    "text-v2": (2, "U4", TEXT),
    "text-v2-big": (2, ">U4", TEXT),
}


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@by_id(OTHER_TYPES)
def test_other_types(run, tmp_path, case):
    zarr_format, dtype, data = case
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    zarr.create_array(src, shape=(40,), chunks=(7,), dtype=dtype, zarr_format=zarr_format)[...] = data
    run("rechunk", src, dst, "--chunks", "16")
    array = zarr.open_array(dst, mode="r")
    assert (array.chunks, array.dtype.newbyteorder("=")) == ((16,), data.dtype.newbyteorder("="))
    assert (array[...] == data).all()
    run("verify", src, dst)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", ["i2", "f4", "c16"])
def test_a_big_endian_array_without_a_compressor(run, tmp_path, dtype, zarr_format):
    # The bytes are swapped between buffers of different owners here.
    dtype = np.dtype(dtype).newbyteorder(">")
    check(run, tmp_path, dtype=dtype, compressors=None, zarr_format=zarr_format)


# Fill values, with chunks that are not stored

FILLS = {
    "zero": ("i4", 0),
    "negative": ("i4", -7),
    "lowest": ("i8", -(2**63)),
    "highest": ("u8", 2**64 - 1),
    "true": ("?", True),
    "half": ("f2", 0.333251953125),
    "third": ("f4", float(np.float32(1 / 3))),
    "tenth": ("f8", 0.1),
    "nan": ("f4", np.nan),
    "nan8": ("f8", np.nan),
    "inf": ("f8", np.inf),
    "-inf": ("f2", -np.inf),
    "-zero": ("f8", -0.0),
    "subnormal": ("f8", 5e-324),
    "complex": ("c16", complex(1.5, -2.25)),
    "complex-nan": ("c8", complex(np.nan, -np.inf)),
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@by_id(FILLS)
def test_fill_values(run, tmp_path, case, zarr_format):
    dtype, fill = case
    config = {"write_empty_chunks": False}
    data = partial(dtype, SHAPE, fill)
    check(run, tmp_path, dtype=dtype, fill=fill, data=data, config=config, zarr_format=zarr_format)
    # Missing chunks are what is tested.
    assert 0 < len(stored(tmp_path / "src.zarr")) < 4 * 2 * 3


@pytest.mark.parametrize("dtype", ["i4", ">f8", "?"])
def test_a_v2_array_without_a_fill_value(run, tmp_path, dtype):
    check(run, tmp_path, dtype=dtype, fill=None, zarr_format=2)


# Shapes

SHAPES = {
    "0d": {"shape": (), "chunks": (), "to": ()},
    "1d": {"shape": (1000,), "chunks": (7,), "to": (64,)},
    "1d-one": {"shape": (1,), "chunks": (1,), "to": (1,)},
    "1d-chunk-beyond-shape": {"shape": (5,), "chunks": (8,), "to": (100,)},
    "2d-rows-to-columns": {"shape": (64, 70), "chunks": (1, 70), "to": (64, 1)},
    "2d-exact": {"shape": (12, 12), "chunks": (3, 4), "to": (6, 2)},
    "2d-same": {"shape": (10, 10), "chunks": (3, 4), "to": (3, 4)},
    "3d-to-one": {"to": SHAPE},
    "3d-to-elements": {"shape": (5, 3, 4), "to": (1, 1, 1)},
    "empty": {"shape": (0,), "chunks": (3,), "to": (5,)},
    "empty-inside": {"shape": (4, 0, 3), "chunks": (2, 1, 3), "to": (3, 2, 1)},
}


@pytest.mark.parametrize("zarr_format", [2, 3])
@by_id(SHAPES)
def test_shapes(run, tmp_path, case, zarr_format):
    check(run, tmp_path, zarr_format=zarr_format, **case)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_five_dimensions(run, tmp_path, zarr_format):
    # More dimensions than there are names in NAMES.
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = values("u2", (5, 4, 7, 3, 6))
    zarr.create_array(src, data=data, chunks=(2, 3, 7, 1, 4), zarr_format=zarr_format)
    run("rechunk", src, dst, "--chunks", "3,4,2,3,5")
    check_array(dst, data, chunks=(3, 4, 2, 3, 5), fill=0)
    run("verify", src, dst)


# Chunk keys

KEYS = {
    "v3-default-slash": {"keys": {"name": "default", "separator": "/"}},
    "v3-default-dot": {"keys": {"name": "default", "separator": "."}},
    "v3-v2-slash": {"keys": {"name": "v2", "separator": "/"}},
    "v3-v2-dot": {"keys": {"name": "v2", "separator": "."}},
    "v2-slash": {"keys": {"name": "v2", "separator": "/"}, "zarr_format": 2},
    "v2-dot": {"keys": {"name": "v2", "separator": "."}, "zarr_format": 2},
}


@pytest.mark.parametrize("rank", [0, 1, 3])
@by_id(KEYS)
def test_chunk_keys(run, tmp_path, case, rank):
    check(run, tmp_path, shape=SHAPE[:rank], chunks=CHUNKS[:rank], to=TARGET[:rank], **case)


# Shards. SHARDS hold 3 x 2 x 2 inner chunks of INNER; the last shard of each dimension is cut off.

SHARDS, INNER = (6, 4, 4), (2, 2, 2)

SHARD_CODECS = {
    "none": [BytesCodec()],
    "zstd": [BytesCodec(), ZstdCodec(level=3, checksum=True)],
    "blosc": [BytesCodec(), BloscCodec(cname="lz4", shuffle="bitshuffle")],
    "gzip": [BytesCodec(), GzipCodec(level=6)],
    "crc32c": [BytesCodec(), ZstdCodec(), Crc32cCodec()],
    "transpose": [TransposeCodec(order=(2, 0, 1)), BytesCodec(), ZstdCodec()],
    "big": [BytesCodec(endian="big"), ZstdCodec()],
}


INDEX_CODECS = [BytesCodec(), Crc32cCodec()]


def sharding(codecs=SHARD_CODECS["zstd"], location="end", inner=INNER, index=INDEX_CODECS):
    codec = ShardingCodec(chunk_shape=inner, codecs=codecs, index_codecs=index, index_location=location)
    return {"chunks": SHARDS, "serializer": codec, "compressors": None}


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("codecs", SHARD_CODECS.values(), ids=SHARD_CODECS.keys())
def test_shards(run, tmp_path, codecs, location):
    check(run, tmp_path, **sharding(codecs, location))


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("fill", [0, -7])
def test_shards_with_missing_chunks(run, tmp_path, fill, location):
    # A box inside two of the shards leaves inner chunks missing; the other shards are missing as a whole.
    data = np.full(SHAPE, fill, "i4")
    data[1:5, 3:6, 1:2] = values("i4", SHAPE)[1:5, 3:6, 1:2]
    check(
        run,
        tmp_path,
        data=data,
        fill=fill,
        config={"write_empty_chunks": False},
        **sharding(location=location),
    )


SHARD_LAYOUTS = {
    "one-inner": sharding(inner=SHARDS),
    "elements": sharding(inner=(1, 1, 1)),
    "dot-keys": {**sharding(), "keys": {"name": "default", "separator": "."}},
    "index-without-checksum": sharding(index=[BytesCodec()]),
    "index-big": sharding(index=[BytesCodec(endian="big"), Crc32cCodec()]),
}


@by_id(SHARD_LAYOUTS)
def test_shard_layouts(run, tmp_path, case):
    check(run, tmp_path, **case)


def test_shards_stay_where_the_inner_chunks_do(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = values("i4", SHAPE)
    zarr.create_array(src, shape=SHAPE, dtype="i4", fill_value=0, **sharding())[...] = data
    run("rechunk", src, dst, "--chunks", spec(INNER))
    check_array(dst, data, chunks=INNER, shards=SHARDS, fill=0)
    run("verify", src, dst)


# Shards among other codecs. Those cannot be kept for just any chunks, so that the test asks for others.
SHARDS_AMONG_CODECS = {
    "transposed": {**sharding(), "filters": TransposeCodec(order=(0, 2, 1))},
    "compressed": {**sharding(), "compressors": GzipCodec()},
    "in-shards": sharding(
        inner=(6, 4, 2), codecs=[ShardingCodec(chunk_shape=INNER, codecs=[BytesCodec(), ZstdCodec()])]
    ),
}


@by_id(SHARDS_AMONG_CODECS)
def test_shards_among_codecs(run, tmp_path, case):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = values("i4", SHAPE)
    zarr.create_array(src, shape=SHAPE, dtype="i4", fill_value=0, **case)[...] = data
    run("rechunk", src, dst, "--chunks", spec(TARGET), "--codecs", "zstd")
    check_array(dst, data, chunks=TARGET, fill=0)
    run("verify", src, dst)


def test_v2_dimension_names_by_the_convention_of_xarray(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = values("f4", SHAPE)
    names = {"_ARRAY_DIMENSIONS": ["time", "dec", "ra"]}
    zarr.create_array(
        src, data=data, chunks=CHUNKS, zarr_format=2, fill_value=0, attributes={**names, "units": "K"}
    )
    run("rechunk", src, dst, "--chunks", "ra=1,time=-1")
    # The names have a place of their own in v3, and what marks missing values for xarray is an attribute.
    expected = {"units": "K", "_FillValue": "AAAAAAAAAAA="}
    check_array(dst, data, chunks=(13, 5, 1), fill=0, names=("time", "dec", "ra"), attributes=expected)
    run("verify", src, dst)
