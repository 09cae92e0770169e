"""What zarrange writes, zarr-python and TensorStore read: every way to ask for codecs, shards and memory."""

import json

import numpy as np
import pytest
import zarr
from support import (
    ATTRIBUTES,
    CHUNKS,
    SHAPE,
    TARGET,
    check_array,
    metadata,
    open_tensorstore,
    plain,
    spec,
    values,
)

NAMES = ("object", "epoch", None)


@pytest.fixture
def source(tmp_path):
    """An array of int32 with names, attributes, a fill value and zarr-python's own codecs; its data."""
    path, data = tmp_path / "src.zarr", values("i4", SHAPE)
    options = {"chunks": CHUNKS, "fill_value": -1, "dimension_names": NAMES, "attributes": ATTRIBUTES}
    zarr.create_array(path, shape=SHAPE, dtype="i4", **options)[...] = data
    return path, data


def check(source, dst, *, chunks=TARGET, shards=None):
    # TensorStore does not know the codecs of numcodecs; `zarrange advise --reader tensorstore` says so.
    others = {"tensorstore": "numcodecs." not in (dst / "zarr.json").read_text()}
    if not others["tensorstore"]:
        with pytest.raises(ValueError, match="numcodecs"):
            open_tensorstore(dst)
    told = {"names": NAMES, "attributes": ATTRIBUTES}
    check_array(dst, source[1], chunks=chunks, shards=shards, fill=-1, **told, **others)


# --codecs, and what zarr.json then says of the compressor

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
CRC32C = {"name": "crc32c"}


def zstd(level, checksum=False):
    return {"name": "zstd", "configuration": {"level": level, "checksum": checksum}}


def gzip(level):
    return {"name": "gzip", "configuration": {"level": level}}


def blosc(cname, level, shuffle):
    configuration = {"typesize": 4, "cname": cname, "clevel": level, "shuffle": shuffle, "blocksize": 0}
    return {"name": "blosc", "configuration": configuration}


def transpose(*order):
    return {"name": "transpose", "configuration": {"order": list(order)}}


LZ4 = {"name": "numcodecs.lz4", "configuration": {"acceleration": 1}}
SHUFFLE = {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}


def pcodec(level):
    configuration = {"level": level, "mode_spec": "auto", "delta_spec": "auto", "delta_encoding_order": None}
    pages = {"paging_spec": "equal_pages_up_to", "equal_pages_up_to": 262144}
    return {"name": "numcodecs.pcodec", "configuration": configuration | pages}


CODECS = {
    "keep": [BYTES, zstd(0)],
    "none": [BYTES],
    "zstd:5": [BYTES, zstd(5)],
    "zstd:-7": [BYTES, zstd(-7)],
    "zstd:22": [BYTES, zstd(22)],
    "blosc:lz4:5:bitshuffle": [BYTES, blosc("lz4", 5, "bitshuffle")],
    "blosc:zstd:9:noshuffle": [BYTES, blosc("zstd", 9, "noshuffle")],
    "blosc:blosclz:0": [BYTES, blosc("blosclz", 0, "shuffle")],
    "blosc:lz4hc": [BYTES, blosc("lz4hc", 5, "shuffle")],
    "blosc:zlib:1:shuffle": [BYTES, blosc("zlib", 1, "shuffle")],
    "gzip:6": [BYTES, gzip(6)],
    "gzip:0": [BYTES, gzip(0)],
    "transpose:2,0,1+zstd:1": [transpose(2, 0, 1), BYTES, zstd(1)],
    "blosc:zstd:bitshuffle": [BYTES, blosc("zstd", 5, "bitshuffle")],
    "lz4": [BYTES, LZ4],
    "shuffle+zstd:2": [BYTES, SHUFFLE, zstd(2)],
    "shuffle+lz4": [BYTES, SHUFFLE, LZ4],
    "pcodec": [pcodec(8)],
    "pcodec:2": [pcodec(2)],
    "transpose:2,0,1+pcodec": [transpose(2, 0, 1), pcodec(8)],
}

CODEC_LISTS = {
    "bytes": [BYTES],
    "big-zstd": [BIG, zstd(3, checksum=True)],
    "crc32c": [BYTES, CRC32C],
    "gzip-crc32c": [BYTES, gzip(9), CRC32C],
    "transpose-blosc": [transpose(2, 0, 1), BYTES, blosc("lz4", 5, "shuffle")],
    "everything": [transpose(1, 0, 2), transpose(2, 1, 0), BIG, gzip(1), zstd(1), CRC32C],
}

asked_codecs = pytest.mark.parametrize(
    "asked, expected",
    [*CODECS.items(), *((json.dumps(codecs), codecs) for codecs in CODEC_LISTS.values())],
    ids=[*CODECS, *CODEC_LISTS],
)


@asked_codecs
def test_codecs(run, tmp_path, source, asked, expected):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source[0], dst, "--chunks", spec(TARGET), "--codecs", asked)
    check(source, dst)
    assert plain(metadata(dst)["codecs"]) == expected
    run("verify", source[0], dst)


@asked_codecs
def test_codecs_in_shards(run, tmp_path, source, asked, expected):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source[0], dst, "--chunks", "2,3,1", "--shards", "8,3,4", "--codecs", asked)
    check(source, dst, chunks=(2, 3, 1), shards=(8, 3, 4))
    [shards] = metadata(dst)["codecs"]
    assert plain(shards["configuration"]["codecs"]) == expected
    run("verify", source[0], dst)


@asked_codecs
def test_codecs_alone(run, tmp_path, source, asked, expected):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source[0], dst, "--codecs", asked)
    check(source, dst, chunks=CHUNKS)
    assert plain(metadata(dst)["codecs"]) == expected


def test_codecs_from_a_file(run, tmp_path, source):
    dst, file = tmp_path / "dst.zarr", tmp_path / "codecs.json"
    file.write_text(json.dumps([BIG, gzip(3)], indent=2))
    run("rechunk", source[0], dst, "--chunks", spec(TARGET), "--codecs", f"@{file}")
    check(source, dst)
    assert plain(metadata(dst)["codecs"]) == [BIG, gzip(3)]


@pytest.mark.parametrize("asked", ["none", "zstd:5", "blosc:lz4:5:bitshuffle", "blosc", "gzip:6"])
@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "f2", "u8", "c16"])
def test_codecs_by_type(run, tmp_path, dtype, asked):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = values(dtype, SHAPE)
    zarr.create_array(src, data=data, chunks=CHUNKS)
    run("rechunk", src, dst, "--chunks", spec(TARGET), "--codecs", asked)
    check_array(dst, data, chunks=TARGET, fill=0)
    run("verify", src, dst)


# --chunks and --shards

LAYOUTS = {
    "whole": (["--chunks", "-1,-1,-1"], SHAPE, None),
    "keep": (["--chunks", "keep"], CHUNKS, None),
    "by-name": (["--chunks", "object=1,epoch=-1"], (1, 9, 2), None),
    "one-name": (["--chunks", "epoch=2"], (4, 2, 2), None),
    "shards": (["--chunks", "2,3,1", "--shards", "4,6,2"], (2, 3, 1), (4, 6, 2)),
    "shards-of-one-chunk": (["--chunks", "4,3,2", "--shards", "4,3,2"], (4, 3, 2), (4, 3, 2)),
    "one-shard": (["--chunks", "2,3,1", "--shards", "14,9,5"], (2, 3, 1), (14, 9, 5)),
    "shards-beyond-the-shape": (["--chunks", "5,5,5", "--shards", "20,20,20"], (5, 5, 5), (20, 20, 20)),
    "shards-of-elements": (["--chunks", "1,1,1", "--shards", "5,4,3"], (1, 1, 1), (5, 4, 3)),
    "shards-only": (["--shards", "8,5,4"], CHUNKS, (8, 5, 4)),
    "shards-by-name": (["--chunks", "2,3,2", "--shards", "object=6,epoch=9"], (2, 3, 2), (6, 9, 2)),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts(run, tmp_path, source, layout):
    dst = tmp_path / "dst.zarr"
    args, chunks, shards = layout
    run("rechunk", source[0], dst, *args)
    check(source, dst, chunks=chunks, shards=shards)
    run("verify", source[0], dst)


def test_shards_to_shards_and_back(run, tmp_path, source):
    first, second, third = (tmp_path / f"{n}.zarr" for n in (1, 2, 3))
    run("rechunk", source[0], first, "--chunks", "2,3,1", "--shards", "6,6,3")
    run("rechunk", first, second, "--chunks", "3,2,2", "--shards", "9,2,4")
    run("rechunk", second, third, "--chunks", spec(CHUNKS))
    check(source, first, chunks=(2, 3, 1), shards=(6, 6, 3))
    check(source, second, chunks=(3, 2, 2), shards=(9, 2, 4))
    check(source, third, chunks=CHUNKS)
    assert metadata(third)["codecs"] == metadata(source[0])["codecs"]
    run("verify", first, third)


# --max-mem: from all at once to a few chunks, through each strategy

N = 96

# Chunks, target chunks, target shards, bytes.
MEMORY = {
    "all": ((1, N), (N, 1), None, 1_000_000),
    "some": ((1, N), (N, 1), None, 16_384),
    "few": ((1, N), (N, 1), None, 2_500),
    "blocks": ((8, N), (N, 8), None, 16_000),
    "odd": ((7, 31), (29, 11), None, 8_000),
    "shards": ((3, 32), (32, 3), (32, 96), 24_576),
}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("case", MEMORY.values(), ids=MEMORY.keys())
def test_memory(run, tmp_path, case, threads):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    chunks, to, shards, max_mem = case
    data = values("i4", (N, N))
    zarr.create_array(src, data=data, chunks=chunks, compressors=None)
    args = ["--chunks", spec(to), *(["--shards", spec(shards)] if shards else [])]
    limits = ["--max-mem", max_mem, "--threads", threads]
    report = run("rechunk", src, dst, *args, *limits, "--verify", "full", "--json").json
    check_array(dst, data, chunks=to, shards=shards, fill=0)
    assert 0 < report["peak_budget_bytes"] <= max_mem
    assert 0 < report["verify_peak_budget_bytes"] <= max_mem
    assert report["verified"] is True
    assert (report["spill_bytes"] > 0) == (report["strategy"] == "staged")
    run("verify", src, dst, "--max-mem", max_mem)


def test_every_strategy_is_among_those_of_memory(run, tmp_path):
    taken = set()
    for number, (chunks, to, _, max_mem) in enumerate(MEMORY.values()):
        src, dst = tmp_path / f"{number}.zarr", tmp_path / "dst.zarr"
        zarr.create_array(src, data=values("i4", (N, N)), chunks=chunks, compressors=None)
        options = ["--max-mem", max_mem, "--threads", 1, "--dry-run", "--json"]
        taken.add(run("rechunk", src, dst, "--chunks", spec(to), *options).json["strategy"])
        assert not dst.exists()
    assert taken == {"direct", "reread", "staged"}


def test_an_intermediate_goes_where_it_is_told(run, tmp_path):
    src, dst, temp = tmp_path / "src.zarr", tmp_path / "dst.zarr", tmp_path / "temp"
    temp.mkdir()
    data = values("i4", (N, N))
    zarr.create_array(src, data=data, chunks=(1, N))
    report = run("rechunk", src, dst, "--chunks", f"{N},1", "--max-mem", "4kB", "--temp", temp, "--json").json
    assert report["strategy"] == "staged"
    check_array(dst, data, chunks=(N, 1), fill=0)
    assert list(temp.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dst.zarr", "src.zarr", "temp"]


SIZES = {"10000": 10_000, "1e4": 10_000, "10kB": 10_000, "10KiB": 10_240, "1MB": 10**6, "1MiB": 2**20}


@pytest.mark.parametrize("size", SIZES)
def test_sizes(run, tmp_path, source, size):
    # A bound is refused in bytes, which shows how it was understood: a chunk of the target has 2 MB.
    done = run(
        "rechunk", source[0], tmp_path / "dst.zarr", "--chunks", "80,80,80", "--max-mem", size, check=False
    )
    assert done.returncode == 1
    assert f"the memory limit of {SIZES[size]} bytes is too small" in done.stderr


# Other options

OPTIONS = {
    "threads": ["--threads", "3"],
    "sample": ["--verify", "sample"],
    "full": ["--verify", "full"],
    "commit": ["--durability", "commit"],
    "no-progress": ["--progress", "never"],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_options(run, tmp_path, source, options):
    dst = tmp_path / "dst.zarr"
    run("rechunk", source[0], dst, "--chunks", spec(TARGET), *options)
    check(source, dst)


BACKENDS = {
    "auto": ["auto", "io_uring", "std"],
    "std": ["std"],
    "mmap": ["mmap"],
    "io_uring": ["io_uring"],
    "std --direct": ["std+direct"],
    "io_uring --direct": ["io_uring+direct"],
}


@pytest.mark.disk
@pytest.mark.parametrize("backend", BACKENDS)
def test_backends(run, tmp_path, source, backend):
    """Every command takes every backend, and says which one it was."""
    dst, table, curves = tmp_path / "dst.zarr", tmp_path / "table.csv", tmp_path / "curves.zarr"
    table.write_text("object_id,time,band,mag,magerr\na,1,g,18.5,0.1\nb,2,r,19.5,0.2\n")
    options = ["--json", "--backend", *backend.split()]
    done = [
        run("rechunk", source[0], dst, "--chunks", spec(TARGET), "--verify", "full", *options),
        run("verify", source[0], dst, *options),
        run("info", dst, *options),
        run("lightcurve", "ingest", table, curves, *options),
    ]
    check(source, dst)
    assert all(d.json["backend"] in BACKENDS[backend] for d in done)
    demo = ["--objects", "50", "--epochs", "20", "--dir", tmp_path / "demo"]
    assert "verified" in run("demo", *demo, *options[1:]).stdout


def test_mmap_cannot_bypass_the_page_cache(run, tmp_path, source):
    done = run("info", source[0], "--backend", "mmap", "--direct", check=False)
    assert done.returncode == 2
    assert "leave out --direct" in done.stderr


LOCATIONS = {
    "plain": "{path}",
    "slash": "{path}/",
    "url": "file://{path}",
    "dots": "{path}/../src.zarr",
}


@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS.keys())
def test_locations(run, tmp_path, source, location):
    dst = tmp_path / "dst.zarr"
    src = location.format(path=source[0])
    run("rechunk", src, location.format(path=dst).replace("/../src.zarr", ""), "--chunks", spec(TARGET))
    check(source, dst)
    run("verify", src, dst)


@pytest.mark.parametrize("name", ["a b", "größe", "100%20", "a#b?c", "-x", "a:b"])
def test_names(run, tmp_path, name):
    src, dst = tmp_path / f"{name}.src", tmp_path / f"{name}.dst"
    data = values("i4", SHAPE)
    zarr.create_array(src, data=data, chunks=CHUNKS)
    run("rechunk", src, dst, "--chunks", spec(TARGET))
    check_array(dst, data, chunks=TARGET, fill=0)
    run("verify", src, dst)


# The report

REPORT = {
    *("strategy", "stages", "bytes_read", "bytes_written", "spill_bytes", "elapsed_s", "verified", "backend"),
    *("source_chunks", "source_chunk_decodes", "target_chunks", "peak_budget_bytes"),
}


def test_the_report(run, tmp_path, source):
    dst = tmp_path / "dst.zarr"
    args = ["rechunk", source[0], dst, "--chunks", spec(TARGET), "--codecs", "none", "--json"]
    predicted = run(*args, "--dry-run").json
    assert not dst.exists()
    report = run(*args).json
    assert REPORT <= predicted.keys() and REPORT <= report.keys()
    assert (report["source_chunks"], report["source_chunk_decodes"], report["target_chunks"]) == (24, 24, 6)
    assert (predicted["source_chunks"], predicted["target_chunks"]) == (24, 6)
    # Six chunks of 7 x 3 x 5 numbers of 4 bytes.
    assert report["bytes_written"] == 6 * 7 * 3 * 5 * 4
    assert report["bytes_read"] == sum(p.stat().st_size for p in (source[0] / "c").rglob("*") if p.is_file())
    assert (report["strategy"], report["verified"], report["spill_bytes"]) == ("direct", False, 0)


def test_a_larger_array(run, tmp_path):
    # Enough for several threads to work at once.
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    data = np.arange(300 * 400 * 20, dtype="u4").reshape(300, 400, 20) * 2654435761
    zarr.create_array(src, data=data, chunks=(300, 7, 20), compressors=None)
    args = ["--chunks", "13,400,3", "--shards", "39,400,9", "--max-mem", "4MB", "--codecs", "zstd:1"]
    run("rechunk", src, dst, *args)
    check_array(dst, data, chunks=(13, 400, 3), shards=(39, 400, 9), fill=0)
    run("verify", src, dst)
