"""Every codec against zarr-python, on random arrays: each reads what the other wrote.

Each group holds arrays of one rank and is rechunked several times, each time to other codecs: to start a
process costs more than to rechunk an array as small as these. All draws follow from the number of the group,
which is the name of the test.
"""

import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numcodecs
import numpy as np
import pytest
import zarr
from support import assert_same, flat, metadata, plain, spec

# All ways to read and write, of files on a disk, too.
pytestmark = pytest.mark.disk

# Zarr version and number of dimensions.
GROUPS = [(3, 0), (2, 0), *itertools.product([3, 3, 2], [1, 2, 3, 4])]
ARRAYS = 60

INTEGERS = [f"{kind}{size}" for kind in "iu" for size in [1, 2, 4, 8]]
FLOATS = ["f2", "f4", "f8", "c8", "c16"]
DTYPES = ["?", *INTEGERS, *FLOATS, "M8[s]", "m8[ns]"]

KINDS = ["noise", "runs", "ramp", "fill", "box"]
CNAMES = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
SHUFFLES = ["noshuffle", "shuffle", "bitshuffle"]
ENDIANS = ["little", "big"]
LOCATIONS = ["start", "end"]
ZSTD_LEVELS = [-100, -5, -1, 0, 1, 3, 9, 22]

# More files than this take long and show nothing more.
OBJECTS_MAX = 24
INNER_MAX = 9


# Shapes


def draw_shape(rng: Random, rank: int) -> tuple[int, ...]:
    elements = rng.choice([10, 100, 1000, 1000, 10_000])
    if rank > 0 and rng.random() < 0.03:
        elements = 0
    side = round(elements ** (1 / max(rank, 1)))
    while True:
        shape = tuple(rng.randint(min(side, 1), 2 * side) for _ in range(rank))
        if rank == 0 or math.prod(shape) <= 2 * elements:
            return shape


def draw_chunks(rng: Random, shape, unit=None) -> tuple[int, ...]:
    """A chunk shape, of whole `unit`s: ragged at the edges, or larger than the array."""
    unit = unit or (1,) * len(shape)
    chunks = [u * rng.randint(1, -(-n // u) + 1) for n, u in zip(shape, unit, strict=True)]
    while math.prod(-(-n // c) for n, c in zip(shape, chunks, strict=True)) > OBJECTS_MAX:
        chunks[rng.randrange(len(chunks))] *= 2
    return tuple(chunks)


def draw_shards(rng: Random, inner) -> tuple[int, ...]:
    while True:
        counts = [rng.randint(1, 3) for _ in inner]
        if math.prod(counts) <= INNER_MAX:
            return tuple(n * count for n, count in zip(inner, counts, strict=True))


# Codecs, as `zarr.json` lists them


def codec(name: str, **configuration) -> dict:
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


def draw_bytes(rng: Random) -> dict:
    return codec("bytes", endian=rng.choice(ENDIANS))


def draw_compressor(rng: Random) -> dict:
    match rng.choices(["zstd", "blosc", "gzip", "numcodecs.zlib"], [4, 6, 3, 1])[0]:
        case "zstd":
            return codec("zstd", level=rng.choice(ZSTD_LEVELS), checksum=rng.random() < 0.5)
        case "blosc":
            return codec(
                "blosc",
                cname=rng.choice(CNAMES),
                clevel=rng.randint(0, 9),
                shuffle=rng.choice(SHUFFLES),
                typesize=rng.choice([1, 2, 4, 8, 16, 13]),
                blocksize=rng.choice([0, 0, 128, 4096]),
            )
        case name:
            return codec(name, level=rng.randint(0, 9))


def draw_codecs(rng: Random, rank: int) -> list[dict]:
    """Mostly what real arrays have; also lists that no single codec stands for."""
    transposes = rng.choices([0, 1, 2], [4, 4, 1])[0] if rank > 0 else 0
    compressors = rng.choices([0, 1, 2], [2, 7, 1])[0]
    after = [draw_compressor(rng) for _ in range(compressors)]
    if rng.random() < 0.3:
        after.insert(rng.choice([0, len(after), len(after)]), codec("crc32c"))
    orders = [rng.sample(range(rank), rank) for _ in range(transposes)]
    return [*(codec("transpose", order=order) for order in orders), draw_bytes(rng), *after]


def draw_sharding(rng: Random, inner) -> dict:
    return codec(
        "sharding_indexed",
        chunk_shape=list(inner),
        codecs=draw_codecs(rng, len(inner)),
        index_codecs=[draw_bytes(rng), *[codec("crc32c")] * rng.randint(0, 1)],
        index_location=rng.choice(LOCATIONS),
    )


def draw_v2_compressor(rng: Random) -> dict | None:
    match rng.choice(["none", "zstd", "blosc", "blosc", "gzip", "zlib"]):
        case "none":
            return None
        case "zstd":
            return {"id": "zstd", "level": rng.choice(ZSTD_LEVELS), "checksum": rng.random() < 0.5}
        case "blosc":
            return {
                "id": "blosc",
                "cname": rng.choice(CNAMES),
                "clevel": rng.randint(0, 9),
                "shuffle": rng.choice([-1, 0, 1, 2]),
                "blocksize": rng.choice([0, 0, 128, 4096]),
            }
        case name:
            return {"id": name, "level": rng.randint(0, 9)}


# Values


def noise(rng: Random, dtype: np.dtype, count: int) -> np.ndarray:
    """Any bits: all NaNs, both zeros, subnormal numbers."""
    data = np.frombuffer(rng.randbytes(count * dtype.itemsize), "u1")
    return (data % 2).astype("?") if dtype.kind == "b" else data.view(dtype)


def draw_fill(rng: Random, dtype: np.dtype):
    if dtype.kind in "fc":
        parts = [0.0, -0.0, 1.5, -0.1, np.nan, np.inf, -np.inf, float(np.finfo(dtype).smallest_subnormal)]
        re, im = rng.choices(parts, k=2)
        return dtype.type(re if dtype.kind == "f" else complex(re, im))
    zero, one = np.zeros(1, dtype), np.frombuffer(b"\1" + b"\0" * (dtype.itemsize - 1), dtype)
    return rng.choice([zero, one, noise(rng, dtype, 1)])[0]


def draw_data(rng: Random, dtype: np.dtype, shape, fill, kind: str) -> np.ndarray:
    count = math.prod(shape)
    match kind:
        case "noise":
            data = noise(rng, dtype, count)
        case "runs":
            length = rng.choice([2, 7, 300])
            data = noise(rng, dtype, count // length + 1).repeat(length)[:count]
        case "ramp":
            # A few bytes change from one element to the next, as in real measurements.
            step = max(1, dtype.itemsize // 2)
            ramp = np.arange(count, dtype="u8") * 3
            data = np.zeros((count, dtype.itemsize), "u1")
            data[:, :step] = ramp.view("u1").reshape(count, 8)[:, :step]
            data = data.view(dtype).ravel() if dtype.kind != "b" else (ramp % 2).astype("?")
        case _:
            data = np.full(count, fill, dtype)
    data = data.reshape(shape)
    if kind == "box":
        # Whole chunks around it are fill value.
        box = tuple(slice(n // 3, n // 3 + max(1, n // 3)) for n in shape)
        data[box] = noise(rng, dtype, data[box].size).reshape(data[box].shape)
    return data


# Arrays


@dataclass(frozen=True)
class Case:
    """An array as zarr-python shall write it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    fill: object
    kind: str
    # zarr-python leaves out chunks of nothing but fill value.
    sparse: bool
    # Version 3.
    codecs: list[dict] | None = None
    # Version 2.
    compressor: dict | None = None
    order: str | None = None

    @property
    def inner(self) -> tuple[int, ...] | None:
        """The shape of inner chunks, where there are shards."""
        if self.codecs and self.codecs[0]["name"] == "sharding_indexed":
            return tuple(self.codecs[0]["configuration"]["chunk_shape"])
        return None

    @property
    def array_options(self) -> dict:
        """What `create_array` has to know of the codecs."""
        if self.codecs is None:
            compressor = self.compressor and numcodecs.get_codec(self.compressor)
            return {"compressors": compressor, "order": self.order, "filters": None}
        at = next(k for k, c in enumerate(self.codecs) if c["name"] in ("bytes", "sharding_indexed"))
        filters, serializer, compressors = self.codecs[:at], self.codecs[at], self.codecs[at + 1 :]
        return {"filters": filters, "serializer": serializer, "compressors": compressors or None}


def draw_case(rng: Random, name: str, rank: int, zarr_format: int) -> Case:
    shape = draw_shape(rng, rank)
    chunks = draw_chunks(rng, shape)
    dtype = rng.choice(DTYPES)
    if zarr_format == 2:
        dtype = np.dtype(dtype).newbyteorder(rng.choice("<>")).str
        codecs = {"compressor": draw_v2_compressor(rng), "order": rng.choice("CF")}
    elif rank > 0 and rng.random() < 0.3:
        codecs = {"codecs": [draw_sharding(rng, chunks)]}
        chunks = draw_shards(rng, chunks)
    else:
        codecs = {"codecs": draw_codecs(rng, rank)}
    fill = draw_fill(rng, np.dtype(dtype).newbyteorder("="))
    return Case(name, dtype, shape, chunks, fill, rng.choice(KINDS), rng.random() < 0.5, **codecs)


def write(group: zarr.Group, case: Case, rng: Random) -> np.ndarray:
    data = draw_data(rng, np.dtype(case.dtype).newbyteorder("="), case.shape, case.fill, case.kind)
    array = group.create_array(
        case.name,
        shape=case.shape,
        chunks=case.chunks,
        dtype=case.dtype,
        fill_value=case.fill,
        config={"write_empty_chunks": not case.sparse},
        **case.array_options,
    )
    array[...] = data
    return data


# Targets


@dataclass(frozen=True)
class Target:
    """What all arrays of a group are rechunked to."""

    # As `--codecs` takes it.
    codecs: str
    # Of each array.
    chunks: list[tuple[int, ...]]
    shards: list[tuple[int, ...] | None]

    def options(self, cases: list[Case]) -> Iterator[str]:
        yield from ["--codecs", self.codecs]
        for option, shapes in [("--chunks", self.chunks), ("--shards", self.shards)]:
            named = [f"{c.name}:{spec(s)}" for c, s in zip(cases, shapes, strict=True) if s is not None]
            yield from [option, *named] if named else []


def draw_targets(rng: Random, cases: list[Case], rank: int) -> list[Target]:
    """The codecs that the arrays have; a list; and, as a list, shards with an index of any kind."""
    targets = []
    for codecs in ["keep", json.dumps(draw_codecs(rng, rank))]:
        chunks = [draw_chunks(rng, case.shape) for case in cases]
        shards = [draw_shards(rng, c) if rank > 0 and rng.random() < 0.3 else None for c in chunks]
        targets.append(Target(codecs, chunks, shards))
    if rank > 0:
        side = round(100 ** (1 / rank))
        inner = tuple(rng.randint(side - 1, side) for _ in range(rank))
        chunks = [draw_chunks(rng, case.shape, inner) for case in cases]
        targets.append(Target(json.dumps([draw_sharding(rng, inner)]), chunks, [None] * len(cases)))
    return targets


def stored_codecs(src, target: Target) -> list[dict] | None:
    """The codecs that the chunks shall have; `None` where those of version 2 are kept."""
    if target.codecs != "keep":
        return json.loads(target.codecs)
    if not (src / "zarr.json").exists():
        return None
    # As zarr-python stored them: it leaves out the order of single bytes.
    codecs = metadata(src)["codecs"]
    if codecs[0]["name"] == "sharding_indexed":
        return codecs[0]["configuration"]["codecs"]
    return codecs


# The tests


@dataclass(frozen=True)
class Group:
    zarr_format: int
    cases: list[Case]
    targets: list[Target]
    # For the values.
    rng: Random


def draw_group(number: int) -> Group:
    rng, (zarr_format, rank) = Random(number), GROUPS[number]
    cases = [draw_case(rng, f"a{k}", rank, zarr_format) for k in range(ARRAYS)]
    return Group(zarr_format, cases, draw_targets(rng, cases, rank), rng)


@pytest.mark.parametrize("number", range(len(GROUPS)))
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_random_arrays(run, tmp_path, number):
    src, group = tmp_path / "src.zarr", draw_group(number)
    root = zarr.open_group(src, mode="w", zarr_format=group.zarr_format)
    written = [write(root, case, group.rng) for case in group.cases]
    for k, target in enumerate(group.targets):
        dst = tmp_path / f"{k}.zarr"
        done = run("rechunk", src, dst, *target.options(group.cases), check=False)
        if done.returncode != 0:
            pytest.fail(f"{done.stderr}{named_in(done.stderr, group.cases)}")
        found = zarr.open_group(dst, mode="r")
        for case, data, chunks, shards in zip(
            group.cases, written, target.chunks, target.shards, strict=True
        ):
            if chunks == case.inner:
                # Chunks that stay as they are stay in their shards.
                shards = shards or case.chunks
            what = f"{case}\nto {chunks}, shards {shards}, codecs {target.codecs}\n"
            expected = stored_codecs(src / case.name, target)
            check_codecs(dst / case.name, chunks, shards, expected, what)
            check_values(found[case.name], case, data, what)


def check_codecs(dst, chunks, shards, expected: list[dict] | None, what: str) -> None:
    """What is read back was really in these shapes and codecs."""
    document = metadata(dst)
    codecs = document["codecs"]
    assert document["chunk_grid"]["configuration"]["chunk_shape"] == list(shards or chunks), what
    if shards:
        inner = codecs[0]["configuration"]
        assert inner["chunk_shape"] == list(chunks), what
        codecs = inner["codecs"]
    if expected is not None:
        assert plain(codecs) == plain(expected), what


def check_values(array: zarr.Array, case: Case, data: np.ndarray, what: str) -> None:
    try:
        fill, got = array.fill_value, array[...]
    except Exception as error:
        raise AssertionError(f"{what}zarr-python: {error!r}") from error
    assert_same(fill, case.fill, f"{what}fill value")
    assert_same(got, data, f"{what}values")


def named_in(message: str, cases: list[Case]) -> str:
    """The arrays that an error speaks of."""
    return "\n".join(str(case) for case in cases if re.search(rf"/{case.name}\b", message))


def test_every_parameter_is_drawn():
    """What no group draws would not be tested, whatever the tests say."""
    groups = [draw_group(number) for number in range(len(GROUPS))]
    cases = [(group.zarr_format, case) for group in groups for case in group.cases]
    assert {(case.kind, case.sparse) for _, case in cases} == set(itertools.product(KINDS, [False, True]))
    dtypes = {(version, np.dtype(case.dtype).newbyteorder("<").str) for version, case in cases}
    assert dtypes == {(version, np.dtype(dtype).str) for version in [2, 3] for dtype in DTYPES}

    # Each is read, and written where it is kept.
    codecs = [c for _, case in cases for c in flat(case.codecs or [])]
    names = "transpose bytes zstd blosc gzip crc32c sharding_indexed numcodecs.zlib"
    assert {c["name"] for c in codecs} == set(names.split())
    assert drawn(codecs, "bytes", "endian") == {(e,) for e in ENDIANS}
    assert drawn(codecs, "zstd", "level", "checksum") == set(itertools.product(ZSTD_LEVELS, [False, True]))
    assert drawn(codecs, "gzip", "level") == {(level,) for level in range(10)}
    assert drawn(codecs, "blosc", "cname", "shuffle") == set(itertools.product(CNAMES, SHUFFLES))
    assert drawn(codecs, "blosc", "clevel") == {(level,) for level in range(10)}
    # An index is always written at the end, unless a list says otherwise.
    asked = [c for group in groups for target in group.targets[1:] for c in flat(json.loads(target.codecs))]
    for side in [codecs, asked]:
        assert drawn(side, "sharding_indexed", "index_location") == {(at,) for at in LOCATIONS}

    old = [case.compressor or {"id": "none"} for version, case in cases if version == 2]
    assert {c["id"] for c in old} == {"none", "zstd", "blosc", "gzip", "zlib"}
    blosc = {(c["cname"], c["shuffle"]) for c in old if c["id"] == "blosc"}
    assert blosc == set(itertools.product(CNAMES, [-1, 0, 1, 2]))
    assert {(np.dtype(c.dtype).byteorder == ">", c.order) for version, c in cases if version == 2} == {
        *itertools.product([False, True], "CF")
    }


def drawn(codecs: list[dict], name: str, *parameters: str) -> set[tuple]:
    return {tuple(c["configuration"][p] for p in parameters) for c in codecs if c["name"] == name}
