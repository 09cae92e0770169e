"""Stores as the libraries write them that scientists use: xarray and anndata, of any version.

`python datasets.py FOLDER` writes all of them, in Zarr v2 where the installed zarr is of version 2 (see
`requirements-v2.txt`), and otherwise in v3.
"""

import itertools
import sys
import warnings
from pathlib import Path

import anndata
import cftime
import numpy as np
import pandas as pd
import xarray as xr
import zarr

ZARR_FORMAT = 2 if zarr.__version__.startswith("2.") else 3

X = 7
NAMES = ["NGC 7000", "", "größer", "日本", "M 1", "x" * 40, "😀"]


def objects(values) -> np.ndarray:
    return np.array(values, dtype=object)


# xarray: each dataset, and its encodings


def numbers():
    index = np.arange(X * 4).reshape(X, 4)
    dtypes = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
    data = {dtype: (("x", "y"), index.astype(dtype)) for dtype in dtypes}
    data["big"] = (("y", "x"), index.T.astype(">f8"))
    data["bool"] = (("x", "y"), index % 3 == 0)
    coords = {"x": np.linspace(-1, 1, X), "y": [10, 20, 30, 40]}
    chunks = {name: {"chunks": (3, 2)} for name in [*dtypes, "bool"]}
    return xr.Dataset(data, coords, {"title": "all kinds of numbers"}), chunks


def missing():
    """What marks missing values: NaN, a number, another number, nothing."""
    data = np.where(np.arange(X * 3).reshape(X, 3) % 5 == 1, np.nan, np.arange(X * 3).reshape(X, 3) / 4)
    encodings = {
        "float_by_default": {},
        "float_nan": {"_FillValue": np.nan, "dtype": "f4"},
        "float_large": {"_FillValue": 1e20, "missing_value": 1e20},
        "float_third": {"_FillValue": np.float32(1 / 3), "dtype": "f4"},
        "float_half": {"_FillValue": np.float16(-999), "dtype": "f2"},
        "float_inf": {"_FillValue": -np.inf},
        "packed": {"_FillValue": -32767, "dtype": "i2", "scale_factor": 0.25, "add_offset": 273.25},
        "packed_as_floats": {"_FillValue": 1e20, "dtype": "f4", "scale_factor": 0.5},
        "bytes": {"_FillValue": 255, "dtype": "u1", "scale_factor": 0.25},
        "zero": {"_FillValue": 0, "dtype": "i4", "scale_factor": 0.25, "add_offset": -1.0},
        "lowest": {"_FillValue": -(2**63), "dtype": "i8"},
        "highest": {"_FillValue": 2**64 - 1, "dtype": "u8"},
        "missing_value_alone": {"_FillValue": None, "missing_value": -9.0},
        "nothing": {"_FillValue": None},
    }
    # Without a scale, integers hold whole numbers.
    whole = {"lowest", "highest"}
    variables = {name: (("x", "y"), np.round(data) if name in whole else data.copy()) for name in encodings}
    variables["complex"] = (("x", "y"), np.where(np.isnan(data), complex(np.nan, np.nan), data * 1j))
    encodings["complex"] = {"_FillValue": complex(np.nan, np.nan)}
    variables["integers"] = (("x", "y"), np.arange(X * 3).reshape(X, 3), {"valid_min": 0})
    encodings["integers"] = {"_FillValue": 4}
    return xr.Dataset(variables, {"y": [1.5, 2.5, 3.5]}), {
        k: {**v, "chunks": (3, 2)} for k, v in encodings.items()
    }


def text():
    variables = {
        "unicode": ("x", np.array(NAMES)),
        "objects": ("x", objects(NAMES)),
        "bytes": ("x", np.array([b"a", b"\xff\0b", b"", b"abc", b"d", b"e", b"f"])),
        "bytes_objects": ("x", objects([name.encode() for name in NAMES])),
        "in_two": (("x", "y"), np.array([[name, name[::-1]] for name in NAMES])),
        "value": ("x", np.arange(X) / 2),
    }
    coords = {
        "name": ("x", objects(NAMES), {"long_name": "Näme"}),
        "y": ["first", "second"],
        "scalar_text": "one word",
        "scalar_object": objects("größer")[()],
        "scalar_bytes": np.bytes_(b"raw"),
    }
    return xr.Dataset(variables, coords), {"objects": {"chunks": (2,)}, "in_two": {"chunks": (3, 1)}}


def times():
    index = pd.date_range("1999-12-30", periods=X, freq="6h")
    with_gaps = index.to_numpy().copy()
    with_gaps[2] = np.datetime64("NaT")
    noleap = [cftime.DatetimeNoLeap(2000, 2, 28 if k < 3 else 1 + k) for k in range(X)]
    days360 = [cftime.Datetime360Day(2000, 2, 30) for _ in range(X)]
    variables = {
        "with_gaps": ("time", with_gaps),
        "as_floats": ("time", index.to_numpy()),
        "as_small": ("time", index.to_numpy()),
        "duration": ("time", np.arange(X).astype("m8[h]").astype("m8[ns]")),
        "noleap": ("time", objects(noleap)),
        "days360": ("time", objects(days360)),
        "bounds": (("time", "nv"), np.stack([index, index], axis=1)),
    }
    encodings = {
        "time": {"units": "hours since 1970-01-01", "dtype": "i4", "chunks": (3,)},
        "as_floats": {"units": "days since 2000-01-01", "dtype": "f8", "_FillValue": np.nan},
        "as_small": {"units": "hours since 1999-12-30", "dtype": "i2", "_FillValue": -1},
        "noleap": {"units": "days since 1999-01-01"},
    }
    coords = {
        "time": ("time", index, {"axis": "T", "bounds": "bounds"}),
        "reference": np.datetime64("2000-01-01", "ns"),
    }
    return xr.Dataset(variables, coords), encodings


def empty():
    variables = {
        "numbers": (("x", "y"), np.zeros((0, 3), "f4")),
        "text": ("x", np.array([], "U5")),
        "objects": ("x", objects([])),
        "between": (("y", "x", "z"), np.zeros((3, 0, 2), "i2")),
        "full": (("y", "z"), np.arange(6).reshape(3, 2)),
    }
    return xr.Dataset(variables, {"x": np.array([], "i8"), "y": [1, 2, 3]}), {"numbers": {"chunks": (1, 2)}}


def scalars():
    variables = {
        "float": ((), 1.5),
        "missing": ((), np.nan),
        "integer": ((), np.int16(-3), {"units": "1"}),
        "bool": ((), True),
        "text": ((), "größer"),
        "mapping": ((), 0, {"grid_mapping_name": "latitude_longitude", "semi_major_axis": 6378137.0}),
        "data": ("x", np.arange(X), {"grid_mapping": "mapping"}),
    }
    return xr.Dataset(variables, {"height": 2.0, "when": np.datetime64("2001-02-03T04:05:06", "ns")}), {}


def attributes():
    many = {
        "text": "Größe in µm",
        "list": [1, 2.5, "three"],
        "nested": {"a": [True, None, {"b": []}]},
        "array": np.array([1.5, 2.5]),
        "number": np.float32(0.1),
        "large": 2**53 + 1,
        "nan": float("nan"),
        "flag_values": np.array([1, 2, 4], "i1"),
        "flag_meanings": "one two four",
    }
    variables = {
        "tas": (
            ("time", "lat", "lon"),
            np.arange(60.0).reshape(3, 4, 5),
            {**many, "cell_methods": "time: mean"},
        ),
        "plain": (("lat", "lon"), np.arange(20, dtype="f4").reshape(4, 5)),
    }
    coords = {
        "area": (("lat", "lon"), np.ones((4, 5))),
        "lat": ("lat", np.linspace(-45, 45, 4), {"units": "degrees_north"}),
        "lon": np.arange(5.0),
    }
    return xr.Dataset(variables, coords, many), {"tas": {"chunks": (1, 4, 2)}}


def light_curves():
    """A monitoring survey: one array of four dimensions, string keys on each, about a hundred side variables."""
    objects_, measurements, epochs = 60, 8, 12
    shape = (objects_, measurements, 2, epochs)
    index = np.arange(np.prod(shape)).reshape(shape)
    curves = np.where(index % 11 == 3, np.nan, index / 8).astype("f4")
    coords = {
        "object": [f"I{k}" for k in range(objects_)],
        "measurement": [f"ch{k % 2 + 1}_sci-mag_{k}" for k in range(measurements)],
        "value": ["value", "uncertainty"],
        "epoch": [f"gr{k:04}" for k in range(epochs)],
    }
    side = {}
    for dimension, count in [("object", 45), ("epoch", 45), ("measurement", 10)]:
        size = len(coords[dimension])
        for k in range(count):
            of = [
                np.arange(size) / (k + 1),
                np.arange(size, dtype="i4") * k,
                np.array([f"{dimension}-{k}-{n % 7}" for n in range(size)]),
                np.arange(size) % (k + 2) == 0,
            ][k % 4]
            side[f"{dimension}_{k}"] = (dimension, of, {"description": f"number {k}"})
    dimensions = ("object", "measurement", "value", "epoch")
    dataset = xr.Dataset({"lightcurves": (dimensions, curves)}, {**coords, **side}, {"survey": "test"})
    return dataset, {"lightcurves": {"chunks": (objects_, measurements, 2, 1)}}


DATASETS = {
    make.__name__: make for make in [numbers, missing, text, times, empty, scalars, attributes, light_curves]
}
CONSOLIDATED = {"plain": False, "consolidated": True}


def write_dataset(path: Path, dataset: xr.Dataset, encoding: dict, consolidated: bool) -> None:
    options = {} if ZARR_FORMAT == 2 else {"zarr_format": 3}
    dataset.to_zarr(path, encoding=encoding, consolidated=consolidated, **options)


# anndata


def annotated(kind: str) -> anndata.AnnData:
    """Cells and genes, with values in the form of `kind`."""
    from scipy import sparse

    cells, genes = 11, 6
    dense = np.arange(cells * genes, dtype="f4").reshape(cells, genes) * (np.arange(genes) % 2)
    obs = pd.DataFrame(
        {
            "type": pd.Categorical([["B", "T", "größer"][k % 3] for k in range(cells)], ordered=True),
            "with_gaps": pd.Categorical(["a", None, *"bab", None, *"aabba"]),
            "name": [f"cell {k}" * (k % 3) for k in range(cells)],
            "counts": np.arange(cells),
            "score": np.linspace(0, 1, cells),
            "doublet": [k % 4 == 0 for k in range(cells)],
            "nullable_int": pd.array([1, None, *range(cells - 2)], dtype="Int32"),
            "nullable_bool": pd.array([True, None, *[False] * (cells - 2)], dtype="boolean"),
        },
        index=[f"barcode-{k}" for k in range(cells)],
    )
    var = pd.DataFrame({"length": np.arange(genes) * 10}, index=[f"gene{k}" for k in range(genes)])
    values = {"dense": dense, "csr": sparse.csr_matrix(dense), "csc": sparse.csc_matrix(dense)}[kind]
    uns = {
        "nested": {
            "text": "Größe",
            "number": 3,
            "array": np.arange(4),
            "texts": np.array(["a", "", "ccc"], object),
        },
        "colors": np.array(["#fff", "#000"]),
        "empty": {},
        "frame": pd.DataFrame({"a": [1.5, 2.5]}, index=["u", "v"]),
        "flag": True,
    }
    return anndata.AnnData(
        values,
        obs,
        var,
        uns=uns,
        obsm={"X_pca": np.arange(cells * 2.0).reshape(cells, 2), "sparse": sparse.csr_matrix(dense)},
        varm={"loadings": np.arange(genes * 3.0).reshape(genes, 3)},
        layers={"raw": dense.astype("u2")},
        obsp={"distances": sparse.csr_matrix(np.eye(cells))},
    )


KINDS = ["dense", "csr", "csc"]


def write_annotated(path: Path, data: anndata.AnnData) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if ZARR_FORMAT == 3:
            anndata.settings.zarr_write_format = 3
        data.write_zarr(path)


def write_all(folder: Path) -> None:
    for (name, make), (suffix, consolidated) in itertools.product(DATASETS.items(), CONSOLIDATED.items()):
        write_dataset(folder / f"{name}-{suffix}.zarr", *make(), consolidated)
    for kind in KINDS:
        write_annotated(folder / f"anndata-{kind}.zarr", annotated(kind))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
