"""What cannot be done is refused: an exit code, one line that says what and where, and no trace."""

import json
import shutil

import numcodecs
import pytest
import zarr
from compare import differences
from support import CHUNKS, SHAPE, TARGET, flat, metadata, spec, tree, values
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, ZstdCodec

TO = ["--chunks", spec(TARGET)]


def refused(run, src, dst, *args, parts, code=1):
    """`rechunk` fails with `code` and one line that has `parts`; all around `src` and `dst` is as it was."""
    before = tree(src.parent)
    done = run("rechunk", src, dst, *args, check=False)
    assert done.returncode == code, done.stderr
    assert not done.stdout
    assert done.stderr.startswith("zarrange: ") and done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr
    # No target, no hidden leftovers of one, and the source as it was.
    assert tree(src.parent) == before


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "src.zarr", tmp_path / "dst.zarr"


def write(path, within=None, **options):
    """An array of int32 in CHUNKS, in the groups from `within` down; a chunk in the middle of it."""
    data = values("i4", SHAPE)
    while within and within != path:
        zarr.open_group(within, mode="a")
        within = within / path.relative_to(within).parts[0]
    options = {"chunks": CHUNKS, "zarr_format": 3, **options}
    zarr.create_array(path, shape=SHAPE, dtype="i4", fill_value=0, **options)[...] = data
    return path / ("c/1/1/1" if options["zarr_format"] == 3 else "1.1.1")


def shards(codecs):
    serializer = ShardingCodec(
        chunk_shape=(2, 5, 2), codecs=codecs, index_codecs=[BytesCodec(), Crc32cCodec()]
    )
    return {"serializer": serializer, "compressors": None}


# Damaged chunks

STORED = {
    "none": {"compressors": None},
    "zstd": {"compressors": ZstdCodec(checksum=True)},
    "blosc": {"compressors": BloscCodec()},
    "gzip": {"compressors": GzipCodec()},
    "crc32c": {"compressors": Crc32cCodec()},
    "zstd-crc32c": {"compressors": [ZstdCodec(), Crc32cCodec()]},
    "shards": shards([BytesCodec(), ZstdCodec(checksum=True)]),
    "shards-none": shards([BytesCodec()]),
    "v2": {"zarr_format": 2},
    "v2-none": {"zarr_format": 2, "compressors": None},
    "v2-F": {"zarr_format": 2, "compressors": None, "order": "F"},
}

DAMAGE = {
    "empty": lambda data: b"",
    "one-byte": lambda data: data[:1],
    "half": lambda data: data[: len(data) // 2],
    "one-byte-less": lambda data: data[:-1],
    # Not a zero: those may follow a member of gzip.
    "one-byte-more": lambda data: data + b"\1",
    "zeros": lambda data: bytes(len(data)),
}


# Without a codec, zeros are values like others.
PLAIN = ["none", "v2-none", "v2-F"]
DAMAGED = [(name, damage) for name in STORED for damage in DAMAGE if name not in PLAIN or damage != "zeros"]


@pytest.mark.parametrize("name, damage", DAMAGED)
def test_a_damaged_chunk(run, paths, name, damage):
    src, dst = paths
    chunk = write(src, **STORED[name])
    chunk.write_bytes(DAMAGE[damage](chunk.read_bytes()))
    parts = [str(src), str(chunk.relative_to(src))]
    refused(run, src, dst, *TO, parts=parts)
    refused(run, src, dst, *TO, "--verify", "full", "--max-mem", "4kB", "--threads", 2, parts=parts)


@pytest.mark.parametrize("name", STORED)
def test_damage_in_chunks_that_are_kept(run, paths, name):
    # They are copied as they are, without a look inside, unless they are verified.
    src, dst = paths
    chunk = write(src, **STORED[name])
    chunk.write_bytes(chunk.read_bytes()[:-1])
    parts = [str(src), str(chunk.relative_to(src))]
    refused(run, src, dst, "--chunks", "keep", "--verify", "full", parts=parts)


V2_ZSTD = {"zarr_format": 2, "compressors": numcodecs.Zstd(level=1, checksum=True)}


@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("name", ["zstd", "crc32c", "zstd-crc32c", "gzip", "shards", "v2-zstd"])
def test_a_flipped_bit(run, paths, name, part):
    # A bit in each eighth of the chunk, never twice the same one of its byte.
    src, dst = paths
    options = {**STORED, "v2-zstd": V2_ZSTD}[name]
    chunk = write(src, **options)
    data = bytearray(chunk.read_bytes())
    at = len(data) * part // 8
    if name == "gzip":
        # The header's flags, time and system are not covered by its checksum.
        at = max(at, 10)
    data[at] ^= 1 << part
    chunk.write_bytes(data)
    refused(run, src, dst, *TO, parts=[str(src), str(chunk.relative_to(src))])


@pytest.mark.parametrize("name", ["blosc", "zstd-plain", "gzip", "shards", "shards-none", "v2"])
def test_damage_never_crashes(run, paths, name):
    """Without a checksum damage may go unnoticed; it ends as values or as an error, never as a signal."""
    src, dst = paths
    options = {**STORED, "zstd-plain": {"compressors": ZstdCodec(checksum=False)}}[name]
    chunk = write(src, **options)
    data = chunk.read_bytes()
    ends = set()
    for at in sorted({*range(min(32, len(data))), *range(0, len(data), max(1, len(data) // 24))}):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        chunk.write_bytes(damaged)
        done = run("rechunk", src, dst, *TO, check=False)
        ends.add(done.returncode)
        if done.returncode == 1:
            assert done.stderr.count("\n") == 1 and str(chunk.relative_to(src)) in done.stderr
            assert not dst.exists()
        else:
            assert done.returncode == 0, (at, done.stderr)
            shutil.rmtree(dst)
        assert not list(dst.parent.glob(".*"))
    # The headers at least are checked.
    assert 1 in ends


def test_a_damaged_chunk_of_an_array_of_a_group(run, paths):
    src, dst = paths
    group = zarr.create_group(src)
    group.create_array("good", data=values("i4", SHAPE), chunks=CHUNKS)
    write(src / "inner/bad", within=src).write_bytes(b"no zstd")
    refused(
        run, src, dst, "--chunks", "good:keep", f"inner/bad:{spec(TARGET)}", parts=["inner/bad", "c/1/1/1"]
    )


def test_a_chunk_that_is_a_directory(run, paths):
    src, dst = paths
    chunk = write(src)
    chunk.unlink()
    chunk.mkdir()
    refused(run, src, dst, *TO, parts=[str(src), "c/1/1/1"])


@pytest.mark.parametrize("command", ["verify", "rechunk"])
def test_damage_is_not_a_difference(run, paths, command):
    # `verify` fails with a message on stderr where it cannot read, and says nothing of a difference.
    src, dst = paths
    chunk = write(src)
    run("rechunk", src, dst, *TO)
    chunk.write_bytes(b"no zstd")
    args = [src, dst] if command == "verify" else [src, dst.with_name("other.zarr"), *TO, "--verify", "full"]
    done = run(command, *args, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("zarrange: ") and "c/1/1/1" in done.stderr


@pytest.mark.parametrize("max_mem", ["10", "1MB"], ids=["memory", "chunk"])
def test_a_message_says_things_once(run, paths, max_mem):
    # An error within an error must not bring its text along twice.
    src, dst = paths
    write(src).write_bytes(b"no zstd")
    done = run("rechunk", src, dst, *TO, "--max-mem", max_mem, check=False)
    assert done.returncode == 1
    pieces = done.stderr.strip().split(": ")
    assert pieces.count(pieces[-1]) == 1


# Sources that are none


@pytest.mark.parametrize("name", ["nothing", "directory", "file"])
@pytest.mark.parametrize("command", ["rechunk", "verify", "info"])
def test_no_source(run, tmp_path, name, command):
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("no directory")
    src, dst = tmp_path / name, tmp_path / "dst.zarr"
    if command == "rechunk":
        refused(run, src, dst, *TO, parts=[str(src)])
    else:
        done = run(command, src, *([src] if command == "verify" else []), check=False)
        assert done.returncode == 1 and not done.stdout
        assert done.stderr.startswith("zarrange: ") and done.stderr.count("\n") == 1
        assert str(src) in done.stderr


def change(**members):
    return lambda document: json.dumps({**document, **members})


def without(name):
    return lambda document: json.dumps({k: v for k, v in document.items() if k != name})


def grid(*shape):
    return {"name": "regular", "configuration": {"chunk_shape": list(shape)}}


# From the document of a good array to the text of a bad one.
DOCUMENTS = {
    "not-json": lambda document: "{ zarr }",
    "empty": lambda document: "",
    "cut": lambda document: json.dumps(document)[:-5],
    "not-text": lambda document: b"\xff\xfe\0\1",
    "deep": lambda document: '{"attributes": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "list": lambda document: "[]",
    "number": lambda document: "3",
    "not-zarr": lambda document: '{"name": "package", "version": "1.0.0"}',
    "format": change(zarr_format=4),
    "node": change(node_type="table"),
    "no-shape": without("shape"),
    "no-type": without("data_type"),
    "no-grid": without("chunk_grid"),
    "no-codecs": without("codecs"),
    "no-fill": without("fill_value"),
    "negative": change(shape=[-1, 9, 5]),
    "fraction": change(shape=[1.5, 9, 5]),
    "text": change(shape="13"),
    "beyond-64-bits": change(shape=[2**64, 9, 5]),
    "huge": change(shape=[2**62, 2**62, 5]),
    "huge-bytes": change(shape=[2**62, 2, 1]),
    "huge-chunk": change(chunk_grid=grid(2**62, 2**62, 5)),
    "chunk-of-nothing": change(chunk_grid=grid(4, 0, 2)),
    "rank": change(chunk_grid=grid(4, 5)),
    "grid": change(chunk_grid={"name": "irregular", "configuration": {}}),
    "type": change(data_type="int33"),
    "fill": change(fill_value="many"),
    "fill-range": change(fill_value=2**40),
    "codec": change(codecs=[{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zst"}]),
    "no-codec": change(codecs=[]),
    "codec-order": change(
        codecs=[{"name": "crc32c"}, {"name": "bytes", "configuration": {"endian": "little"}}]
    ),
    "codec-configuration": change(codecs=[{"name": "bytes", "configuration": {"endian": "middle"}}]),
    "order": change(
        codecs=[
            {"name": "transpose", "configuration": {"order": [0, 0, 1]}},
            {"name": "bytes", "configuration": {"endian": "little"}},
        ]
    ),
    "keys": change(chunk_key_encoding={"name": "default", "configuration": {"separator": ":"}}),
    "names": change(dimension_names=["x"]),
    "attributes": change(attributes=[1]),
    # What Python's json module writes, and JSON does not have.
    "understood": change(extension={"must_understand": True}),
    "transformers": change(storage_transformers=[{"name": "cache", "configuration": {}}]),
}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_bad_document(run, paths, document):
    src, dst = paths
    write(src)
    file = src / "zarr.json"
    text = DOCUMENTS[document](json.loads(file.read_text()))
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(run, src, dst, *TO, parts=[f"{src}/zarr.json"])


V2_DOCUMENTS = {
    "not-json": lambda document: "{ zarr }",
    "list": lambda document: "[]",
    "no-shape": without("shape"),
    "huge": change(shape=[2**62, 2**62, 5]),
    "rank": change(chunks=[4, 5]),
    "chunk-of-nothing": change(chunks=[4, 0, 2]),
    "type": change(dtype="<i3"),
    "order": change(order="A"),
    "compressor": change(compressor={"id": "zst"}),
    "separator": change(dimension_separator=":"),
    "fill": change(fill_value="many"),
}


@pytest.mark.parametrize("document", V2_DOCUMENTS)
def test_a_bad_v2_document(run, paths, document):
    src, dst = paths
    write(src, zarr_format=2)
    file = src / ".zarray"
    file.write_text(V2_DOCUMENTS[document](json.loads(file.read_text())))
    refused(run, src, dst, *TO, parts=[f"{src}/.zarray"])


def test_a_bad_array_of_a_group(run, paths):
    src, dst = paths
    zarr.create_group(src).create_array("good", data=values("i4", SHAPE), chunks=CHUNKS)
    write(src / "inner/bad", within=src)
    (src / "inner/bad/zarr.json").write_text("{")
    refused(run, src, dst, "--chunks", f"good:{spec(TARGET)}", parts=["inner/bad/zarr.json"])


# Memory and place


@pytest.mark.parametrize("command", ["rechunk", "verify"])
@pytest.mark.parametrize("max_mem", [1, 100, 500])
def test_too_little_memory(run, paths, command, max_mem):
    # A source chunk has 160 bytes, a target chunk 420.
    src, dst = paths
    write(src)
    if command == "rechunk":
        refused(run, src, dst, *TO, "--max-mem", max_mem, parts=[str(max_mem), str(src)])
    else:
        run("rechunk", src, dst, *TO)
        done = run("verify", src, dst, "--max-mem", max_mem, check=False)
        assert done.returncode == 1 and not done.stdout
        assert done.stderr.startswith("zarrange: ") and str(max_mem) in done.stderr


def test_too_little_memory_for_an_array_of_a_group(run, paths):
    src, dst = paths
    write(src / "inner/big", within=src)
    refused(
        run, src, dst, "--chunks", f"inner/big:{spec(TARGET)}", "--max-mem", 100, parts=["100", "inner/big"]
    )


def test_an_intermediate_is_not_left_behind(run, paths):
    # Staged, with a chunk that fails in the first pass, and the intermediate in a place of its own.
    src, dst = paths
    temp = dst.with_name("temp")
    temp.mkdir()
    data = values("i4", (96, 96))
    zarr.create_array(src, data=data, chunks=(1, 96))
    (src / "c/90/0").write_bytes(b"no zstd")
    for place in [[], ["--temp", temp]]:
        options = ["--max-mem", "4kB", *place]
        assert (
            run("rechunk", src, dst, "--chunks", "96,1", *options, "--dry-run", "--json").json["strategy"]
            == "staged"
        )
        refused(run, src, dst, "--chunks", "96,1", *options, parts=[str(src), "c/90/0"])


@pytest.mark.parametrize("target", ["array", "group", "directory", "file"])
def test_an_existing_target(run, paths, target):
    src, dst = paths
    write(src)
    match target:
        case "array":
            write(dst)
        case "group":
            zarr.create_group(dst).create_array("x", data=values("i2", (4,)))
        case "directory":
            dst.mkdir()
            (dst / "mine.txt").write_text("kept")
        case "file":
            dst.write_text("kept")
    refused(run, src, dst, *TO, parts=[str(dst), "exists"])
    if target in ("directory", "file"):
        # Only what is Zarr is ever replaced.
        refused(run, src, dst, *TO, "--overwrite", parts=[str(dst)])
    else:
        run("rechunk", src, dst, *TO, "--overwrite")
        run("verify", src, dst)
        assert sorted(p.name for p in dst.parent.iterdir()) == ["dst.zarr", "src.zarr"]


def test_a_failed_overwrite_keeps_the_target(run, paths):
    src, dst = paths
    write(dst)
    write(src).write_bytes(b"no zstd")
    refused(run, src, dst, *TO, "--overwrite", parts=["c/1/1/1"])


def test_directories_above_the_target_are_made(run, paths):
    src, dst = paths
    write(src)
    below = dst / "new/er"
    run("rechunk", src, below, *TO)
    run("verify", src, below)


def test_directories_above_the_target_are_not_left_behind(run, paths):
    src, dst = paths
    write(src).write_bytes(b"no zstd")
    refused(run, src, dst / "new/er", *TO, parts=["c/1/1/1"])


OVERLAPS = {
    "the-same": "src.zarr",
    "the-same-in-other-words": "./other/../src.zarr/",
    "inside": "src.zarr/inner",
    "inside-an-array": "src.zarr/x/c/new",
    "around": "",
    "through-a-link": "link/inner",
}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["", "overwrite"])
@pytest.mark.parametrize("target", OVERLAPS.values(), ids=OVERLAPS.keys())
def test_a_target_that_overlaps_the_source(run, tmp_path, target, overwrite):
    place = tmp_path / "place"
    src = place / "src.zarr"
    write(src / "x", within=src)
    (place / "other").mkdir()
    (place / "link").symlink_to(src)
    dst = f"{place}/{target}"
    before = tree(tmp_path)
    done = run("rechunk", src, dst, "--chunks", f"x:{spec(TARGET)}", *overwrite, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("zarrange: ") and done.stderr.count("\n") == 1
    assert "src.zarr" in done.stderr
    assert tree(tmp_path) == before


# Wrong usage

USAGE = {
    "rank-less": (["--chunks", "4,5"], ["[4, 5]"]),
    "rank-more": (["--chunks", "4,5,2,1"], ["[4, 5, 2, 1]"]),
    "zero": (["--chunks", "4,0,2"], ["0"]),
    "negative": (["--chunks", "4,-2,2"], ["-2"]),
    "name": (["--chunks", "epoch=1,distance=2"], ["distance", "epoch"]),
    "array": (["--chunks", "mag:4,5,2"], ["mag"]),
    "array-option": (["--chunks", "4,5,2", "--array", "mag"], ["mag"]),
    "twice": (["--chunks", "4,5,2", "1,1,1"], ["two"]),
    "shard-rank": (["--chunks", "4,5,2", "--shards", "8,5"], ["[8, 5]"]),
    "shard-multiple": (["--chunks", "4,5,2", "--shards", "8,6,2"], ["[8, 6, 2]"]),
    "syntax": (["--chunks", "4,five,2"], ["five"]),
    "mixed": (["--chunks", "epoch=1,5"], ["epoch=1,5"]),
    "codec": (["--chunks", "4,5,2", "--codecs", "lzma"], ["lzma"]),
    "codec-level": (["--chunks", "4,5,2", "--codecs", "zstd:99"], ["99"]),
    "codec-shuffle": (["--chunks", "4,5,2", "--codecs", "blosc:lz4:5:sideways"], ["SHUFFLE"]),
    "codec-json": (["--chunks", "4,5,2", "--codecs", "[{]"], ["[{]"]),
    "codec-file": (["--chunks", "4,5,2", "--codecs", "@missing.json"], ["missing.json"]),
    "size": (["--chunks", "4,5,2", "--max-mem", "lots"], ["lots"]),
    "threads": (["--chunks", "4,5,2", "--threads", "0"], ["0"]),
    "option": (["--chunks", "4,5,2", "--fast"], ["--fast"]),
}


@pytest.mark.parametrize("case", USAGE.values(), ids=USAGE.keys())
def test_wrong_usage(run, paths, case):
    src, dst = paths
    args, parts = case
    write(src, dimension_names=["object", "epoch", "band"])
    before = tree(dst.parent)
    done = run("rechunk", src, dst, *args, check=False)
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    for part in parts:
        assert part in done.stderr
    assert tree(dst.parent) == before


def test_wrong_usage_of_an_array_of_a_group(run, paths):
    src, dst = paths
    write(src / "inner/x", within=src, dimension_names=["object", "epoch", "band"])
    for args, parts in [
        (["inner/x:4,5"], ["inner/x"]),
        (["inner/x:distance=2"], ["inner/x", "distance"]),
        (["inner/y:4,5,2"], ["inner/y", "inner/x"]),
    ]:
        refused(run, src, dst, "--chunks", *args, parts=parts, code=2)


@pytest.mark.parametrize("args", [[], ["rechunk"], ["rechunk", "a"], ["verify", "a"], ["move", "a", "b"]])
def test_missing_arguments(run, args):
    assert run(*args, check=False).returncode == 2


# Codecs that cannot be used


def test_codecs_that_do_not_fit(run, paths):
    src, dst = paths
    write(src)
    bad = json.dumps([{"name": "transpose", "configuration": {"order": [0, 1]}}, {"name": "bytes"}])
    before = tree(dst.parent)
    done = run("rechunk", src, dst, *TO, "--codecs", bad, check=False)
    assert done.returncode in (1, 2) and not done.stdout
    assert done.stderr.startswith("zarrange: ") and done.stderr.count("\n") == 1
    assert tree(dst.parent) == before


def test_inner_shards_that_do_not_fit_give_way(run, paths):
    src, dst = paths
    inner = ShardingCodec(chunk_shape=(2, 5, 2), codecs=[BytesCodec(), ZstdCodec()])
    write(src, serializer=ShardingCodec(chunk_shape=(4, 5, 2), codecs=[inner]), compressors=None)
    assert "without sharding_indexed" in run("rechunk", src, dst, *TO).stderr
    assert not differences(src, dst)
    assert "sharding_indexed" not in {codec["name"] for codec in flat(metadata(dst)["codecs"])}
