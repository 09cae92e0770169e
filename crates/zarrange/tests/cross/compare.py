"""Do zarr-python and xarray read the same from two stores? Judged by them alone, not by zarrange.

`differences` goes through a hierarchy as zarr-python shows it, `xarray_differences` through what `open_zarr`
gives. What Zarr v3 keeps elsewhere than v2 is expected there: see `expected_attributes`.
"""

import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from xarray.backends.zarr import FillValueCoder

DIMENSIONS = "_ARRAY_DIMENSIONS"


# Arrays of numpy


def difference(got, expected) -> str | None:
    """The first difference in shape, type (byte order apart) or bits; NaN equals NaN. None if there is none."""
    got, expected = native(got), native(expected)
    if (got.shape, got.dtype) != (expected.shape, expected.dtype):
        return f"{got.dtype} of {got.shape}, not {expected.dtype} of {expected.shape}"
    wrong = unequal(got, expected)
    if not wrong.any():
        return None
    first = tuple(int(k) for k in np.argwhere(wrong)[0])
    return f"{wrong.sum()} of {wrong.size} differ, first at {first}: {got[first]!r}, not {expected[first]!r}"


def unequal(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.dtype.names:
        return np.logical_or.reduce([unequal(x[name], y[name]) for name in x.dtype.names])
    if x.dtype.kind in "OT":
        pairs = zip(x.ravel(), y.ravel(), strict=True)
        return np.array([type(a) is not type(b) or a != b for a, b in pairs], bool).reshape(x.shape)
    if x.dtype.kind == "c":
        part = f"f{x.dtype.itemsize // 2}"
        return unequal(x[..., None].view(part), y[..., None].view(part)).any(axis=-1)
    size = max(x.dtype.itemsize, 1)
    bits = [np.ascontiguousarray(a)[..., None].view("u1").reshape(*x.shape, size) for a in [x, y]]
    wrong = (bits[0] != bits[1]).any(axis=-1)
    return wrong & ~(np.isnan(x) & np.isnan(y)) if x.dtype.kind == "f" else wrong


def native(array) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind in "OT":
        return array
    return np.ascontiguousarray(array.astype(in_native_order(array.dtype))).reshape(array.shape)


def in_native_order(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind in "OT" else dtype.newbyteorder("=")


# Attributes


def same_json(x, y) -> bool:
    """Equal as documents: 1, 1.0 and true differ, NaN equals NaN, every bit of a float counts, no order does."""
    if type(x) is not type(y):
        return False
    match x:
        case dict():
            return x.keys() == y.keys() and all(same_json(x[k], y[k]) for k in x)
        case list():
            return len(x) == len(y) and all(map(same_json, x, y))
        case float():
            return x == y and math.copysign(1, x) == math.copysign(1, y) or x != x and y != y
    return x == y


def attributes(path: Path) -> dict:
    """As the documents of a member have them, to the last bit."""
    if (path / "zarr.json").exists():
        return load(path / "zarr.json").get("attributes", {})
    return load(path / ".zattrs") if (path / ".zattrs").exists() else {}


def load(path: Path):
    return json.loads(path.read_text("utf-8-sig"))


def expected_attributes(path: Path, array: zarr.Array | zarr.Group) -> dict:
    """Those of `array` in Zarr v3, if it is read from `path`.

    xarray keeps the names of dimensions and the mark of missing values elsewhere there: the names in
    `dimension_names`, the mark in `_FillValue`, written as `FillValueCoder` does, where that can read it again.
    """
    found = attributes(path)
    if dimension_names(array) is None or array.metadata.zarr_format == 3:
        return found
    found = {k: v for k, v in found.items() if k != DIMENSIONS}
    mark = found.pop("_FillValue", None) if array.fill_value is None else array.fill_value
    dtype = array.dtype
    if mark is not None and dtype.kind in "biufc":
        found["_FillValue"] = FillValueCoder.encode(np.asarray(mark, dtype)[()], dtype)
    return found


def dimension_names(array) -> tuple | None:
    if not isinstance(array, zarr.Array):
        return None
    if array.metadata.zarr_format == 3:
        return array.metadata.dimension_names
    names = array.attrs.get(DIMENSIONS)
    fits = isinstance(names, list) and len(names) == array.ndim and all(isinstance(n, str) for n in names)
    return tuple(names) if fits else None


# Zarr


def nodes(path: Path) -> dict[str, zarr.Array | zarr.Group]:
    root = zarr.open(path, mode="r")
    if isinstance(root, zarr.Array):
        return {"": root}
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    return {"": root, **dict(root.members(max_depth=None))}


def fill_value(array: zarr.Array) -> np.ndarray:
    """What a chunk that is not stored reads as."""
    fill = array.fill_value
    return np.asarray(array.metadata.dtype.default_scalar() if fill is None else fill).astype(array.dtype)


def contents(array: zarr.Array) -> dict[str, np.ndarray]:
    return {"fill value": fill_value(array), "values": np.asarray(array[...])}


def content_differences(expected: dict[str, np.ndarray], target: zarr.Array) -> Iterator[str]:
    try:
        found = contents(target)
    except Exception as error:
        yield f"zarr-python cannot read the target: {error!r}"
        return
    for what in expected:
        if one := difference(found[what], expected[what]):
            yield f"{what}: {one}"


def differences(source: Path, target: Path) -> list[str]:
    """What zarr-python reads differently; nothing where `target` is what zarrange shall make of `source`."""
    before, after = nodes(source), nodes(target)
    found = [f"{name or '/'}: only in the source" for name in before.keys() - after.keys()]
    found += [f"{name or '/'}: only in the target" for name in after.keys() - before.keys()]
    for name in sorted(before.keys() & after.keys()):
        found += [
            f"{name or '/'}: {one}"
            for one in node_differences(source / name, before[name], target / name, after[name])
        ]
    return found


def node_differences(source: Path, before, target: Path, after) -> Iterator[str]:
    if type(before) is not type(after):
        yield f"{type(before).__name__} became {type(after).__name__}"
        return
    if after.metadata.zarr_format != 3:
        yield "not of Zarr v3"
    expected, got = expected_attributes(source, before), attributes(target)
    if not same_json(got, expected):
        yield f"attributes {got}, not {expected}"
    if isinstance(before, zarr.Array):
        if (dimension_names(after) or None) != (dimension_names(before) or None):
            yield f"dimension names {dimension_names(after)}, not {dimension_names(before)}"
        yield from content_differences(contents(before), after)


# xarray

ENCODINGS = [
    "dtype",
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "units",
    "calendar",
    "coordinates",
]


def open_xarray(path: Path, **options) -> xr.Dataset:
    with warnings.catch_warnings():
        # That there is no consolidated metadata, or that zarr-python would rather not have it.
        warnings.simplefilter("ignore")
        return xr.open_zarr(path, **options).load()


def xarray_differences(source: Path, target: Path, **options) -> list[str]:
    """What `xarray.open_zarr` gives differently, encodings included, with and without consolidated metadata."""
    found = []
    for consolidated in [False, None]:
        before = open_xarray(source, consolidated=consolidated, **options)
        try:
            after = open_xarray(target, consolidated=consolidated, **options)
            xr.testing.assert_identical(after, before)
        except Exception as error:
            found.append(f"consolidated={consolidated}: {error}")
            continue
        for name, variable in before.variables.items():
            found += encoding_differences(name, variable.encoding, after.variables[name].encoding)
        found += encoding_differences("dataset", before.encoding, after.encoding)
    return found


def encoding_differences(name, before: dict, after: dict) -> Iterator[str]:
    for key in ENCODINGS:
        expected, got = (plain(key, each.get(key)) for each in [before, after])
        if not (got == expected or got != got and expected != expected):
            yield f"{name}: encoding {key} is {got!r}, not {expected!r}"


def plain(key: str, value):
    """Without what no reader sees: byte orders, and types of numpy for single numbers."""
    if key == "dtype":
        return value and in_native_order(np.dtype(value))
    return value.item() if isinstance(value, np.generic) else value
