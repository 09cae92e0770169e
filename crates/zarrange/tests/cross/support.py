"""What the tests share: data that shows a misplaced element, exact comparison, and both readers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import formats
import numpy as np
import stores
import tensorstore as ts
import zarr
from compare import difference, native
from zarr.dtype import VariableLengthBytes

# Ragged at every edge, in these chunks and in those of most targets.
SHAPE = (13, 9, 5)
CHUNKS = (4, 5, 2)
TARGET = (7, 3, 5)

ATTRIBUTES = {
    "units": "mag",
    "größe": ["α", 1, 2.5, None, True],
    "nested": {"empty": {}, "list": [[], [1, [2]]]},
    "large": 2**53 + 1,
    "tiny": 5e-324,
}

# Chunks of nothing but fill value are written too.
WRITE_ALL = {"write_empty_chunks": True}


def values(dtype, shape) -> np.ndarray:
    """Another value at each index, as far as the type has them, over the whole range of the type.

    Floats have NaN, both infinities and -0.0 among them.
    """
    return stores.elements(np.dtype(dtype).newbyteorder("="), int(np.prod(shape, dtype=int))).reshape(shape)


def partial(dtype, shape, fill) -> np.ndarray:
    """As `values` in a box that leaves whole chunks at both ends to the fill value."""
    data = np.full(shape, fill, np.dtype(dtype).newbyteorder("="))
    box = tuple(slice(n // 3, n // 3 + max(1, n // 3)) for n in shape)
    data[box] = values(dtype, shape)[box]
    return data


def assert_same(got, expected, what: str) -> None:
    """Same shape, type (in any byte order) and bits, except that NaN equals NaN."""
    found = difference(got, expected)
    assert not found, f"{what}: {found}"


def metadata(path: Path) -> dict:
    return json.loads((path / "zarr.json").read_bytes())


def plain(codecs: list[dict]) -> list[dict]:
    """The codecs of a document, and those inside of shards, without what each may leave out: an empty configuration."""
    return [
        {
            name: plain_configuration(value) if name == "configuration" else value
            for name, value in codec.items()
            if value != {}
        }
        for codec in codecs
    ]


def plain_configuration(configuration: dict) -> dict:
    inner = {"codecs", "index_codecs"}
    return {name: plain(value) if name in inner else value for name, value in configuration.items()}


def flat(codecs: list[dict]) -> Iterator[dict]:
    """The codecs and those inside of shards."""
    for one in codecs:
        yield one
        yield from flat(one.get("configuration", {}).get("codecs", []))


def v3_dtype(one: formats.Type):
    """A type of the table for `create_array`."""
    return {formats.TEXT: str, formats.BYTES: VariableLengthBytes()}.get(one.kind) or stores.native(one)


def v3_codecs(codec: formats.Codec, one: formats.Type) -> dict:
    """What `create_array` has to know of a codec of the table."""

    def named(id: str, **configuration) -> dict:
        return {"name": f"numcodecs.{id}", "configuration": configuration}

    # That of objects comes with the type.
    filters = codec.filters_for(one)[bool(one.object_codec) :]
    codecs = [*filters, codec.compressor] if codec.compressor else filters
    codecs = [c if "name" in c else named(**c) for c in codecs]
    first = [c for c in codecs if c["name"].removeprefix("numcodecs.") in formats.ARRAY_TO_ARRAY]
    serializer = [c for c in codecs if c["name"] == "bytes"]
    return {
        "filters": first,
        "serializer": serializer[0] if serializer else "auto",
        "compressors": codecs[len(first) + len(serializer) :] or None,
    }


def write_v3(path: Path, one: formats.Type, codec: formats.Codec, *, sharded: bool = False) -> None:
    """Writes an array of Zarr v3 with a type and a codec of the table, without one of its chunks or shards."""
    data = stores.values(one, stores.SHAPE, codec.values)
    array = zarr.create_array(
        path,
        shape=stores.SHAPE,
        chunks=stores.CHUNKS,
        shards=(6, 6) if sharded else None,
        dtype=v3_dtype(one),
        fill_value=data[0, 1].tobytes() if one.kind in "V" + formats.RECORD else data[0, 1],
        attributes={"codec": codec.name},
        **v3_codecs(codec, one),
    )
    array[:3], array[3:6, 3:] = data[:3], data[3:6, 3:]


def open_tensorstore(path: Path, **options):
    kvstore = {"driver": "file", "path": str(path)}
    return ts.open({"driver": "zarr3", "kvstore": kvstore, "open": True, **options}).result()


def check_array(
    path: Path, data, *, chunks, shards=None, fill, names=None, attributes=None, tensorstore=True
) -> None:
    """The array at `path` is Zarr v3 and holds exactly this, for zarr-python and for TensorStore."""
    array = zarr.open_array(path, mode="r")
    assert array.metadata.zarr_format == 3
    assert (array.chunks, array.shards) == (tuple(chunks), shards and tuple(shards))
    assert array.attrs.asdict() == (attributes or {})
    assert array.metadata.dimension_names == (tuple(names) if names else None)
    assert_same(array.fill_value, np.asarray(fill, native(data).dtype), "fill value by zarr-python")
    assert_same(array[...], data, "values by zarr-python")
    if tensorstore:
        store = open_tensorstore(path)
        layout = store.chunk_layout
        # An array without dimensions has no shapes here.
        assert (layout.read_chunk.shape or ()) == tuple(chunks)
        assert (layout.write_chunk.shape or ()) == tuple(shards or chunks)
        assert store.domain.labels == tuple(name or "" for name in names or [None] * store.rank)
        assert_same(store.fill_value, np.asarray(fill, native(data).dtype), "fill value by TensorStore")
        assert_same(store.read().result(), data, "values by TensorStore")


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file below `root` with its bytes, and every directory."""
    return {
        str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in sorted(root.rglob("*"))
    }


def stored(path: Path) -> list[str]:
    """Keys of the stored chunks or shards of an array of either version."""
    documents = {"zarr.json", ".zarray", ".zattrs"}
    return [key for key, data in tree(path).items() if data is not None and key not in documents]


def spec(numbers) -> str:
    """A SPEC of the command line."""
    return ",".join(map(str, numbers))


def rechunk_all(path: Path) -> list[str]:
    """Options that rechunk each array of a store to a bit more than half of each dimension."""
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    shapes = {name: node.shape for name, node in root.members(max_depth=None) if isinstance(node, zarr.Array)}
    return [
        "--chunks",
        *(f"{name}:{spec(n // 2 + 1 for n in shape)}" for name, shape in shapes.items() if shape),
    ]


# What a process may take beside its bound.
ALLOWANCE = 64 << 20


# A small process between this one and the command: the peak of a process counts what its parent held when it was started.
MEASURE = """
import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
"""


def measured(binary, *args):
    """Exit code, what was printed to stderr, and the most memory that was resident."""
    command = [sys.executable, "-I", "-S", "-c", MEASURE, binary, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, resident = map(int, done.stdout.splitlines()[-1].split())
    return code, done.stderr, resident
