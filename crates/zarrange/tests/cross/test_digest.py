"""A digest is that of an implementation which knows nothing of chunks, whatever the layout, the codecs and the version of Zarr are."""

import shutil

import numpy as np
import pytest
import xxhash
import zarr
from support import CHUNKS, SHAPE, values
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec

pytestmark = [
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
    pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning"),
]

U64, U128 = 2**64 - 1, 2**128 - 1


def mixed(number):
    """The finalizer of splitmix64."""
    z = (number + 0x9E3779B97F4A7C15) & U64
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & U64
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & U64
    return z ^ z >> 31


def key(place):
    """An odd number for each third of a place, multiplied, the last time with both halves of the product."""
    upper = place >> 20
    number = mixed(mixed(upper & U64) ^ upper >> 64) | 1
    middle = mixed(1024 + (place >> 10) % 1024) | 1
    product = (number * middle & U64) * (mixed(place % 1024) | 1)
    return (product & U64 ^ product >> 64) | 1


def expected(array, data_type, fill):
    """The digest as docs/rechunk.md defines it."""
    if array.dtype == object:
        hashed = [xxhash.xxh3_128_intdigest(text.encode()) for text in array.ravel()]
        elements = [
            (h & U64, h >> 64) if text else None for h, text in zip(hashed, array.ravel(), strict=True)
        ]
        fill, words, filled = b"", 2, (0, 0)
    else:
        array = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
        size, words = array.dtype.itemsize, -(-array.dtype.itemsize // 8)
        raw = [array.tobytes()[k : k + size] for k in range(0, array.nbytes, size)]
        fill = np.asarray(fill, array.dtype).tobytes()
        word = lambda bits, k: int.from_bytes(bits[8 * k : 8 * k + 8], "little")  # noqa: E731
        filled = [word(fill, k) for k in range(words)]
        elements = [[word(bits, k) for k in range(words)] for bits in raw]
    total = 0
    for number, element in enumerate(elements):
        for k, word_ in enumerate(element or ()):
            total += (word_ ^ filled[k]) * key(number * words + k)
    once = f"zarrange digest 1\n{list(array.shape)}\n{data_type}\n".encode() + fill
    return f"{(total + xxhash.xxh3_128_intdigest(once)) & U128:032x}"


TYPES = {
    "bool": ("?", "bool of 1 bytes"),
    "int8": ("i1", "int8 of 1 bytes"),
    "uint16": ("u2", "uint16 of 2 bytes"),
    "float32": ("f4", "float32 of 4 bytes"),
    "float64": ("f8", "float64 of 8 bytes"),
    "complex128": ("c16", "complex128 of 16 bytes"),
    "datetime": ("M8[25s]", "numpy.datetime64 of 8 bytes, in 25 s"),
    "text": ("U7", "fixed_length_utf32 of 28 bytes"),
    "bytes": ("S3", "null_terminated_bytes of 3 bytes"),
    "raw": ("V3", "raw_bytes of 3 bytes"),
    "timedelta": ("m8[us]", "numpy.timedelta64 of 8 bytes, in 1 us"),
    "records": (
        [("id", "i4"), ('"x"', "f8"), ("name", "U2")],
        r'struct { "id" at 0: int32 of 4 bytes; "\"x\"" at 4: float64 of 8 bytes; "name" at 12: fixed_length_utf32 of 8 bytes; }',
    ),
}
LAYOUTS = {
    "plain": {"chunks": CHUNKS, "compressors": None},
    "big-endian": {"chunks": (13, 1, 5), "serializer": BytesCodec(endian="big"), "compressors": GzipCodec()},
    "sharded": {"chunks": (2, 3, 5), "shards": (4, 9, 5), "compressors": BloscCodec(shuffle="noshuffle")},
    "transposed": {"chunks": SHAPE, "filters": TransposeCodec(order=(2, 0, 1))},
    "v2": {"chunks": CHUNKS, "zarr_format": 2, "order": "F"},
}


@pytest.mark.parametrize("name", TYPES)
def test_of_every_type_and_layout(name, run, tmp_path):
    dtype, data_type = TYPES[name]
    data = values(dtype, SHAPE)
    # Stretches of the fill value, stored and not.
    fill = data[0, 0, 1]
    data[4:8] = fill
    told = expected(data, data_type, fill)
    # Zarr-python wants to hash fill values for shards, which those of these types cannot be.
    layouts = {k: v for k, v in LAYOUTS.items() if k != "sharded" or name not in ("raw", "records")}
    for layout, options in layouts.items():
        if np.dtype(dtype).itemsize == 1 or name in ("bytes", "raw"):
            options = {key: value for key, value in options.items() if key != "serializer"}
        for written in (False, True):
            path = tmp_path / f"{layout}-{written}.zarr"
            config = {"write_empty_chunks": written}
            made = zarr.create_array(
                path, shape=SHAPE, dtype=dtype, fill_value=fill, config=config, **options
            )
            made[...] = data
            found = run("digest", path, "--json", "--max-mem", "1MiB").json
            assert found == {"digests": {"": told}, "failed": {}}, (layout, written)


def test_of_text(run, tmp_path):
    data = np.array([f"object {k}" * (k % 5) for k in range(60)], dtype="T").reshape(12, 5)
    told = expected(np.array(data, dtype=object), "text", "")
    for chunks in [(12, 5), (5, 2)]:
        made = zarr.create_array(tmp_path / f"{chunks}.zarr", shape=(12, 5), chunks=chunks, dtype="str")
        made[...] = data
        assert run("digest", tmp_path / f"{chunks}.zarr").stdout == f"{told}  .\n"


def test_of_groups(run, tmp_path):
    """One array that cannot be read does not keep the others from their digests."""
    group = zarr.create_group(tmp_path / "group.zarr")
    for name, attributes in [("a", {}), ("night/b", {"units": "Jy"}), ("night/c", {})]:
        array = group.create_array(name, shape=(60, 40), chunks=(30, 40), dtype="f4", attributes=attributes)
        array[...] = np.arange(2400).reshape(60, 40) + (name == "night/c")
    lines = run("digest", tmp_path / "group.zarr").stdout.splitlines()
    digests = dict(line.split("  ")[::-1] for line in lines)
    assert list(digests) == ["a", "night/b", "night/c"]
    # Attributes say nothing of elements.
    assert digests["a"] == digests["night/b"] != digests["night/c"]
    for k in (0, 1):
        copy = tmp_path / f"copy-{k}.zarr"
        shutil.copytree(tmp_path / "group.zarr", copy)
        chunk = copy / f"night/b/c/{k}/0"
        chunk.write_bytes(chunk.read_bytes()[:-3])
        failed = run("digest", copy, "--json", check=False)
        assert failed.returncode == 1
        assert failed.json["digests"] == {"a": digests["a"], "night/c": digests["night/c"]}
        assert f"c/{k}/0" in failed.json["failed"]["night/b"]
        assert "night/b" in failed.stderr
    document = tmp_path / "group.zarr/night/b/zarr.json"
    document.write_bytes(document.read_bytes()[:-30])
    failed = run("digest", tmp_path / "group.zarr", "--json", check=False)
    assert failed.returncode == 1
    assert failed.json["digests"] == {"a": digests["a"], "night/c": digests["night/c"]}
    assert "zarr.json" in failed.json["failed"]["night/b"]


def test_long_fill_values_do_not_take_the_memory(run, tmp_path):
    """A chunk that is not stored has as many of them as elements."""
    for command in (
        ["digest"],
        ["verify", "same"],
        ["rechunk", tmp_path / "target.zarr", "--chunks", "7000"],
    ):
        zarr.create_array(
            tmp_path / "long.zarr", shape=(60_000,), dtype="str", fill_value="x" * 100_000, overwrite=True
        )
        args = [command[0], tmp_path / "long.zarr", *command[1:], "--max-mem", "10MB"]
        done = run(*[tmp_path / "long.zarr" if arg == "same" else arg for arg in args], check=False)
        assert done.returncode == 1 and "--max-mem" in done.stderr, done.stderr


def test_one_bit_and_one_place_matter(run, tmp_path):
    data = values("f4", SHAPE)
    changed = data.copy()
    changed.view("u4")[3, 4, 1] ^= 1
    moved = data.copy()
    moved[[3, 4]] = moved[[4, 3]]
    found = set()
    cases = [
        (data, 0, "f4"),
        (changed, 0, "f4"),
        (moved, 0, "f4"),
        (data, 1, "f4"),
        (data.view("u4"), 0, "u4"),
    ]
    cases += [(data.reshape(9, 13, 5), 0, "f4")]
    for k, (elements, fill, dtype) in enumerate(cases):
        path = tmp_path / f"{k}.zarr"
        made = zarr.create_array(path, shape=elements.shape, chunks=(4, 4, 4), dtype=dtype, fill_value=fill)
        made[...] = elements
        found.add(run("digest", path).stdout)
    assert len(found) == len(cases)


def test_of_what_is_not_there(run, tmp_path):
    done = run("digest", tmp_path / "none.zarr", check=False)
    assert (done.returncode, done.stdout) == (1, "") and "none.zarr" in done.stderr
