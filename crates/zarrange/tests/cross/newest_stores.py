"""The stores of `newest.py` and of its hierarchies, written with the newest zarr-python and xarray."""

import json
from pathlib import Path

import formats
import numpy as np
import stores
import xarray as xr
import zarr
from newest import REFUSED, ROW, ROWS, Row
from zarr.dtype import parse_data_type

ATTRIBUTES = {"units": "mag", "größe": ["α", 1, 2.5, None, True]}


def write_all(folder: str) -> None:
    for row in ROWS:
        write_row(Path(folder) / f"{row.name}.zarr", row)
    for one in REFUSED:
        path = Path(folder) / f"refused-{one.name}.zarr"
        write_row(path, one.row)
        put_into_document(path, one.document)
    for name, write in {
        "mixed": write_mixed,
        "xarray": write_xarray,
        "xarray-grid": write_xarray_grid,
    }.items():
        write(Path(folder) / f"{name}.zarr")


def write_row(path: Path, row: Row, attributes: dict = ATTRIBUTES):
    """Writes the array of a row, without its second chunk along each dimension, so that one is missing."""
    data_type = parse_data_type(row.data_type, zarr_format=3)
    fill = data_type.from_json_scalar(row.fill, zarr_format=3)
    array = zarr.create_array(
        path,
        shape=row.shape,
        chunks=[c if isinstance(c, int) else [*c] for c in row.chunks]
        if irregular(row.chunks)
        else row.chunks,
        shards=[[*s] for s in row.shards] if irregular(row.shards) else row.shards,
        dtype=data_type,
        fill_value=fill,
        filters=row.filters or None,
        dimension_names=[f"d{k}" for k in range(row.rank)] if row.rank else None,
        attributes=attributes,
        **row.more,
    )
    data = values(row, data_type)
    if row.rank and data.size:
        data[second(row)] = fill
    array[...] = data
    if row.resized:
        array.resize(row.resized)
    if row.document:
        put_into_document(path, row.document)


def second(row: Row) -> tuple[slice, ...]:
    """Where the second chunk along each dimension lies, or the first where there is no other."""
    sizes = [[c, c] if isinstance(c, int) else c for c in row.chunks]
    return tuple(
        slice(0, n) if one[0] >= n else slice(one[0], one[0] + one[1])
        for n, one in zip(row.shape, sizes, strict=True)
    )


def irregular(chunks: tuple | None) -> bool:
    return any(not isinstance(c, int) for c in chunks or ())


def values(row: Row, data_type) -> np.ndarray:
    dtype, count = data_type.to_native_dtype(), int(np.prod(row.shape, dtype=int))
    if isinstance(row.values, list):
        known = [data_type.from_json_scalar(v, zarr_format=3) for v in row.values]
        data = np.array([known[k % len(known)] for k in range(count)], dtype)
    elif row.data_type == "string":
        data = stores.values(formats.TYPE["text"], (count,)).astype(dtype)
    elif row.data_type == "variable_length_bytes":
        data = stores.values(formats.TYPE["objects-of-bytes"], (count,))
    else:
        # Enough for the values that stand at a fixed place.
        data = stores.elements(dtype.newbyteorder("="), max(count, 8), row.values)[:count]
    return data.reshape(row.shape)


def put_into_document(path: Path, members: dict) -> None:
    document = json.loads((path / "zarr.json").read_bytes())
    (path / "zarr.json").write_text(json.dumps(document | members))


def write_mixed(path: Path) -> None:
    root = zarr.create_group(path, attributes=ATTRIBUTES)
    root.create_group("deep", attributes={"k": 1})
    for name, row in {
        "grid": "grid-2d",
        "deep/pack": "pack",
        "deep/struct": "struct-numbers",
        "cast": "cast-twice",
    }.items():
        write_row(path / name, ROW[row])
    zarr.consolidate_metadata(path)


def dataset():
    index = np.arange(13 * 7).reshape(13, 7)
    dates = np.datetime64("2000-01-01", "ns") + np.arange(13) * np.timedelta64(6, "h")
    return xr.Dataset(
        {
            "t2m": (("time", "x"), np.where(index % 5 == 1, np.nan, index / 4), {"units": "K"}),
            "irregular": (("time", "x"), index.astype("i4")),
        },
        {
            "time": dates,
            "x": np.arange(7) / 2,
            "name": ("x", [f"größe {k}" for k in range(7)]),
            "step": ("time", np.arange(13) * np.timedelta64(90, "m")),
        },
        ATTRIBUTES | {"größe": "α"},
    )


def write_xarray(path: Path) -> None:
    packed = {
        "dtype": "i2",
        "_FillValue": -32767,
        "scale_factor": 0.25,
        "add_offset": 273.15,
        "chunks": (5, 7),
    }
    dataset().to_zarr(
        path, encoding={"t2m": packed, "irregular": {"chunks": (6, 2), "shards": (12, 4)}}, zarr_format=3
    )


def write_xarray_grid(path: Path) -> None:
    """As xarray would write it, if it wrote the chunks that it reads."""
    dataset().to_zarr(path, zarr_format=3, consolidated=False)
    root = zarr.open_group(path)
    old = root["t2m"]
    data, attributes = old[...], old.attrs.asdict()
    root.create_array(
        "t2m",
        data=data,
        chunks=[[1, 4, 4, 4], 3],
        fill_value=old.fill_value,
        dimension_names=old.metadata.dimension_names,
        attributes=attributes,
        overwrite=True,
    )
    zarr.consolidate_metadata(path)
