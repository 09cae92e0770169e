"""Random hierarchies as people write them (xarray, anndata and plain zarr, v2 and v3), and random requests for them.

Everything follows from the seed: an even one gives Zarr v2, written by zarr 2, an odd one v3.

    python hierarchies.py check ZARRANGE 0 500

writes 500 of them, hands each to `zarrange` and compares the targets as the libraries read them. It needs the
packages of `requirements.txt`, and in the environment variable ZARR2_PYTHON a Python with those of
`requirements-v2.txt`, which it calls with `write FOLDER FIRST END`. `test_hierarchies.py` takes a share of them.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import formats
import numcodecs
import numpy as np
import stores
import zarr

ZARR_FORMAT = 2 if zarr.__version__.startswith("2.") else 3
KINDS = ["plain", "plain", "plain", "xarray", "xarray", "anndata"]


def kind_of(seed: int) -> str:
    return KINDS[seed // 2 % len(KINDS)]


def write(path: Path, seed: int) -> None:
    rng = Random(seed)
    {"plain": write_plain, "xarray": write_xarray, "anndata": write_anndata}[kind_of(seed)](path, rng)


# Draws

WORDS = ["units", "µm", "größe", "long name", "日本", "valid_range", "a", "", "😀"]
NUMBERS = [
    0,
    1,
    -7,
    2**53 + 1,
    2**64,
    2**70,
    -(2**65),
    0.1,
    -0.0,
    5e-324,
    1e300,
    math.nan,
    math.inf,
    True,
    None,
]


def draw_attributes(rng: Random) -> dict:
    return {rng.choice(WORDS): draw_json(rng, 2) for _ in range(rng.choice([0, 0, 1, 3]))}


def draw_json(rng: Random, depth: int):
    match rng.choice(["number", "number", "text", "list", "object"] if depth else ["number", "text"]):
        case "number":
            return rng.choice(NUMBERS)
        case "text":
            return rng.choice(WORDS)
        case "list":
            return [draw_json(rng, depth - 1) for _ in range(rng.randint(0, 3))]
        case _:
            return {rng.choice(WORDS): draw_json(rng, depth - 1) for _ in range(rng.randint(0, 3))}


def draw_shape(rng: Random) -> tuple[int, ...]:
    rank = rng.choice([0, 1, 1, 2, 2, 3, 4])
    side = [0, 40, 12, 6, 4][rank]
    return tuple(rng.randint(0 if rng.random() < 0.1 else 1, side) for _ in range(rank))


def draw_chunks(rng: Random, shape) -> tuple[int, ...]:
    """Ragged at the edges, or larger than the array; not very many."""
    chunks = [rng.randint(1, n + 1) for n in shape]
    while math.prod(-(-n // c) for n, c in zip(shape, chunks, strict=True)) > 40:
        chunks[rng.randrange(len(chunks))] *= 2
    return tuple(chunks)


def draw_name(rng: Random, taken: set[str]) -> str:
    while True:
        name = rng.choice(["x", "flux", "größe", "a b", "T2m", "c", "0", "_data"]) + str(rng.randint(0, 9))
        if name not in taken:
            taken.add(name)
            return name


# Plain zarr


def write_plain(path: Path, rng: Random) -> None:
    root = zarr.open_group(str(path), mode="w", **({} if ZARR_FORMAT == 2 else {"zarr_format": 3}))
    groups, taken = [root], set()
    for _ in range(rng.choice([0, 1, 3])):
        groups.append(rng.choice(groups).create_group(draw_name(rng, taken)))
    for group in groups:
        group.attrs.put(draw_attributes(rng))
    for _ in range(rng.randint(1, 8)):
        [write_v2_array, write_v3_array][ZARR_FORMAT - 2](rng.choice(groups), draw_name(rng, taken), rng)
    if rng.random() < 0.5:
        zarr.consolidate_metadata(root.store)


def draw_data(rng: Random, one: formats.Type, codec: formats.Codec, shape) -> np.ndarray:
    count = math.prod(shape)
    data = stores.values(one, (count + 7,), codec.values)[rng.randint(0, 6) :][:count]
    return data.reshape(shape)


def put(array, data: np.ndarray, rng: Random) -> None:
    """Writes all of it, none, or a box, so that chunks are missing."""
    how = rng.choice(["all", "all", "box", "none"])
    if how == "none" or data.size == 0:
        return
    starts = [0 if how == "all" else rng.randrange(n) for n in data.shape]
    box = tuple(
        slice(k, n if how == "all" else rng.randint(k + 1, n))
        for k, n in zip(starts, data.shape, strict=True)
    )
    array[box or ...] = data[box] if box else data


# zarr 2 takes no times without a unit, and zarr-python 3.1 no `record-raw` without a fill value.
NOT_BY_ZARR_2 = {"datetime64-generic", "timedelta64-generic", "record-raw"}
V2_TYPES = [one for one in formats.TYPES if one.by_zarr_python and one.name not in NOT_BY_ZARR_2]


def write_v2_array(group, name: str, rng: Random) -> None:
    one, shape = rng.choice(V2_TYPES), draw_shape(rng)
    codec = rng.choice([c for c in formats.codecs_of(one) if "level-1" not in c.name])
    data = draw_data(rng, one, codec, shape)
    filters = [numcodecs.get_codec(c) for c in codec.filters_for(one)]
    # zarr 2 gives records to their codecs as they are, and those take no times.
    if one.name == "record-text":
        filters, codec = [], formats.CODEC["none"]
    array = group.create_dataset(
        name,
        shape=shape,
        chunks=draw_chunks(rng, shape),
        dtype=stores.native(one),
        filters=filters or None,
        compressor=codec.compressor and stores.encoder(codec.compressor),
        fill_value=draw_v2_fill(rng, one, data),
        order=rng.choice("CF"),
        dimension_separator=rng.choice("./"),
        write_empty_chunks=rng.random() < 0.5,
        overwrite=True,
    )
    put(array, data, rng)
    array.attrs.put(draw_attributes(rng))


def draw_v2_fill(rng: Random, one: formats.Type, data: np.ndarray):
    if one.kind in (formats.TEXT, formats.BYTES):
        return rng.choice([None, ""] if one.kind == formats.TEXT else [None])
    if data.size == 0 or rng.random() < 0.3:
        return None
    return data.ravel()[rng.randrange(data.size)]


def write_v3_array(group, name: str, rng: Random) -> None:
    # Only here: this needs zarr 3.
    from support import v3_codecs, v3_dtype

    one, shape = rng.choice(formats.v3_types()), draw_shape(rng)
    # The order of a transpose is one of two dimensions.
    codec = rng.choice([c for c in formats.v3_codecs_of(one) if len(shape) == 2 or c.name != "v3-transpose"])
    data, chunks = draw_data(rng, one, codec, shape), draw_chunks(rng, shape)
    sharded = shape and one.name not in formats.NOT_IN_SHARDS and rng.random() < 0.3
    fill = data.ravel()[rng.randrange(data.size)] if data.size and rng.random() < 0.7 else None
    array = group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        shards=tuple(c * rng.randint(1, 3) for c in chunks) if sharded else None,
        dtype=v3_dtype(one),
        fill_value=fill.tobytes() if fill is not None and one.kind in "V" + formats.RECORD else fill,
        dimension_names=rng.choice([None, [f"d{k}" for k in range(len(shape))]]),
        chunk_key_encoding={"name": rng.choice(["default", "v2"]), "separator": rng.choice("./")},
        attributes=draw_attributes(rng),
        config={"write_empty_chunks": rng.random() < 0.5},
        **v3_codecs(codec, one),
    )
    put(array, data, rng)


# xarray


def write_xarray(path: Path, rng: Random) -> None:
    import xarray as xr

    sizes = {name: rng.randint(0 if rng.random() < 0.1 else 1, 7) for name in ["time", "lat", "lon", "band"]}
    for group in [None, *rng.sample(["coarse", "coarse/deep"], rng.choice([0, 0, 2]))]:
        variables, encoding = {}, {}
        for k in range(rng.randint(1, 6)):
            variables[f"v{k}"], encoding[f"v{k}"] = draw_variable(rng, sizes)
        coords = {
            name: draw_coordinate(rng, name, size) for name, size in sizes.items() if rng.random() < 0.7
        }
        if rng.random() < 0.5:
            coords["reference"] = rng.choice([1.5, "größer", np.datetime64("2001-02-03", "ns"), np.int16(3)])
        dataset = xr.Dataset(variables, coords, draw_attributes(rng))
        options = {} if ZARR_FORMAT == 2 else {"zarr_format": 3}
        dataset.to_zarr(str(path), group=group, mode="a", encoding=encoding, consolidated=False, **options)
    if rng.random() < 0.5:
        zarr.consolidate_metadata(str(path))


def draw_coordinate(rng: Random, name: str, size: int):
    index = np.arange(size)
    match rng.choice(["number", "text", "date"]):
        case "number":
            return index / 2
        case "text":
            return np.array([f"{name} {k}" for k in index], dtype="U12")
        case _:
            return np.datetime64("2000-01-01", "ns") + index * np.timedelta64(rng.choice([1, 24, 1000]), "h")


def draw_variable(rng: Random, sizes: dict[str, int]) -> tuple[tuple, dict]:
    """A variable, and the encoding that it is written with."""
    dimensions = rng.sample(list(sizes), rng.randint(0, 4))
    shape = [sizes[name] for name in dimensions]
    index = np.arange(math.prod(shape)).reshape(shape)
    encoding = {"chunks": tuple(rng.randint(1, n + 1) for n in shape)} if shape and rng.random() < 0.5 else {}
    match rng.choice(["integer", "float", "packed", "bool", "text", "objects", "bytes", "date", "complex"]):
        case "integer":
            data = index.astype(rng.choice(["i1", "u2", "i4", ">i4", "i8", "u8"]))
            encoding |= rng.choice([{}, {"_FillValue": 3}])
        case "float":
            data = np.where(index % 3 == 1, np.nan, index).astype(rng.choice(["f2", "f4", "f8", ">f4"]))
            encoding |= rng.choice(
                [{}, {"_FillValue": None}, {"_FillValue": -9.0}, {"_FillValue": -9.0, "missing_value": -9.0}]
            )
        case "packed":
            data = np.where(index % 4 == 1, np.nan, index / 4)
            encoding |= {
                "dtype": "i2",
                "_FillValue": -32767,
                "scale_factor": 0.25,
                "add_offset": rng.choice([0.0, 273.15]),
            }
        case "bool":
            data = index % 2 == 0
        case "text":
            data = np.array([rng.choice(stores.WORDS) for _ in index.ravel()], dtype="U8").reshape(shape)
        case "objects":
            data = np.array([rng.choice(stores.WORDS) for _ in index.ravel()], dtype=object).reshape(shape)
        case "bytes":
            data = np.array([b"\xff%d" % k for k in index.ravel()], dtype="S6").reshape(shape)
        case "complex":
            data = index.astype("c8") * 1j
        case _:
            data = np.datetime64("2000-01-01", "ns") + index.astype("m8[D]")
            encoding |= rng.choice([{}, {"units": "hours since 1970-01-01", "dtype": "f8"}])
    return (dimensions, data, draw_variable_attributes(rng)), encoding


def draw_variable_attributes(rng: Random) -> dict:
    """xarray writes units of its own."""
    return {k: v for k, v in draw_attributes(rng).items() if k and k != "units" and v is not None}


# anndata


def write_anndata(path: Path, rng: Random) -> None:
    import datasets

    data = datasets.annotated(rng.choice(datasets.KINDS))
    data = data[: rng.randint(1, data.n_obs), : rng.randint(1, data.n_vars)].copy()
    for name in rng.sample(list(data.obs), rng.randint(0, 3)):
        del data.obs[name]
    data.uns["more"] = {"seed": rng.random(), "words": np.array(rng.sample(WORDS, 3), dtype=object)}
    datasets.write_annotated(path, data)


# Requests


def request(seed: int, path: Path) -> list[str]:
    """Options of `zarrange rechunk` for a store."""
    rng = Random(seed + 1_000_000)
    arrays = [
        (name, a)
        for name, a in zarr.open_group(path, mode="r", use_consolidated=False).members(max_depth=None)
        if isinstance(a, zarr.Array)
    ]
    shaped = [(name, array) for name, array in arrays if array.ndim]
    if not shaped or rng.random() < 0.25:
        return []
    chosen = rng.sample(shaped, rng.randint(1, len(shaped)))
    chunks = {name: draw_chunks(rng, array.shape) for name, array in chosen}
    options = ["--chunks", *(f"{name}:{draw_spec(rng, array, chunks[name])}" for name, array in chosen)]
    sharded = [
        name for name, array in chosen if array.dtype.kind not in "V" and array.dtype.name != "timedelta64"
    ]
    if sharded and rng.random() < 0.3:
        some = rng.sample(sharded, rng.randint(1, len(sharded)))
        # The least that both the array and whole chunks fill.
        specs = (f"{name}:{','.join(str(c * rng.randint(1, 3)) for c in chunks[name])}" for name in some)
        options += ["--shards", *specs]
    if rng.random() < 0.3:
        options += ["--codecs", rng.choice(["zstd:1", "gzip:1", "blosc:lz4:5:shuffle", "none"])]
    return options


def draw_spec(rng: Random, array, chunks) -> str:
    from compare import dimension_names

    names = dimension_names(array)
    if names and all(names) and rng.random() < 0.5:
        return ",".join(f"{name}={c}" for name, c in zip(names, chunks, strict=True))
    return ",".join(map(str, chunks))


# Comparison


def check(zarrange: Callable, seed: int, src: Path, dst: Path) -> Iterator[str]:
    """Hands a store to `zarrange(*args)` and yields what is wrong with what it made."""
    from compare import differences, load, xarray_differences

    options = request(seed, src)
    done = zarrange("rechunk", src, dst, *options)
    if done.returncode != 0:
        yield f"{options}: exit code {done.returncode}: {done.stderr}"
        return
    yield from differences(src, dst)
    yield from plan_differences(zarrange, src, dst, options)
    if kind_of(seed) == "xarray":
        groups = [None, *(group for group in ["coarse", "coarse/deep"] if (src / group).exists())]
        for group in groups:
            yield from xarray_differences(src, dst, group=group)
    if kind_of(seed) == "anndata":
        yield from anndata_differences(src, dst)
    yield from layout_differences(options, dst)
    consolidated = [
        (src / ".zmetadata").exists()
        or bool((src / "zarr.json").exists() and load(src / "zarr.json").get("consolidated_metadata"))
    ]
    consolidated.append(bool(load(dst / "zarr.json").get("consolidated_metadata")))
    if consolidated[0] != consolidated[1]:
        yield f"consolidated metadata: {consolidated[0]} became {consolidated[1]}"
    verified = zarrange("verify", src, dst)
    if verified.returncode != 0:
        yield f"verify: {verified.stdout}{verified.stderr}"


def plan_differences(zarrange: Callable, src: Path, dst: Path, options: list[str]) -> Iterator[str]:
    """What the plan makes that another process reads from a file."""
    from support import tree

    plan, made = dst.with_suffix(".json"), dst.with_suffix(".planned")
    for args in [("plan", src, made, "--out", plan, *options), ("run", plan)]:
        done = zarrange(*args)
        if done.returncode != 0:
            yield f"{args[0]} {options}: exit code {done.returncode}: {done.stderr}"
            return
    if tree(made) != tree(dst):
        yield f"{options}: the plan makes something else"


def layout_differences(options: list[str], dst: Path) -> Iterator[str]:
    shape = {"--chunks": {}, "--shards": {}}
    option = None
    for word in options:
        if word.startswith("--"):
            option = word
        elif option in shape:
            name, spec = word.rsplit(":", 1)
            shape[option][name] = tuple(int(part.rsplit("=", 1)[-1]) for part in spec.split(","))
    for name, chunks in shape["--chunks"].items():
        array = zarr.open_array(dst / name, mode="r")
        if array.chunks != chunks:
            yield f"{name}: chunks {array.chunks}, not {chunks}"
        if name in shape["--shards"] and array.shards != shape["--shards"][name]:
            yield f"{name}: shards {array.shards}, not {shape['--shards'][name]}"


def anndata_differences(src: Path, dst: Path) -> Iterator[str]:
    import anndata
    from anndata.tests.helpers import assert_equal

    try:
        assert_equal(anndata.read_zarr(dst), anndata.read_zarr(src), exact=True)
    except Exception as error:
        yield f"anndata: {error}"


# All of it


def write_range(folder: Path, first: int, end: int) -> None:
    """Writes the stores of the version of Zarr that is installed."""
    for seed in range(first, end):
        if seed % 2 == ZARR_FORMAT - 2:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                write(folder / f"{seed}.zarr", seed)


def write_both(folder: Path, first: int, end: int) -> None:
    for python in [os.environ["ZARR2_PYTHON"], sys.executable]:
        subprocess.run([python, "-W", "ignore", __file__, "write", folder, str(first), str(end)], check=True)


def check_range(binary: str, first: int, end: int) -> int:
    """How many of the stores are not as they should be; each is said."""
    warnings.simplefilter("ignore")

    def zarrange(*args):
        more = ["--durability", "none"] if args[0] in {"rechunk", "plan"} else []
        return subprocess.run([binary, *map(str, args), *more], capture_output=True, text=True, timeout=60)

    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        write_both(Path(folder), first, end)
        for seed in range(first, end):
            src = Path(folder) / f"{seed}.zarr"
            found = list(check(zarrange, seed, src, Path(folder) / f"{seed}.out.zarr"))
            failed += bool(found)
            for one in found:
                print(f"seed {seed} ({kind_of(seed)}, v{seed % 2 + 2}): {one}", flush=True)
    print(json.dumps({"stores": end - first, "failed": failed}))
    return failed


if __name__ == "__main__":
    command, place, first, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if command == "write":
        write_range(Path(place), first, end)
    else:
        sys.exit(bool(check_range(place, first, end)))
