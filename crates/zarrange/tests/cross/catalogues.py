"""Catalogues in the formats that astronomers have, by their own writers."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table

# Columns are numpy arrays by name; those of masked arrays have gaps.
Columns = dict[str, np.ndarray]


def astropy(columns: Columns, units: dict[str, str]) -> Table:
    """The table of astropy with these columns."""
    table = Table({name: MaskedColumn(values) for name, values in columns.items()})
    for name, unit in units.items():
        table[name].unit = unit
    return table


def csv(path: Path, columns: Columns, units: dict[str, str]) -> None:
    astropy(columns, {}).write(path, format="ascii.csv")


def csv_gz(path: Path, columns: Columns, units: dict[str, str]) -> None:
    plain = path.with_suffix(".plain")
    csv(plain, columns, units)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def tabs(path: Path, columns: Columns, units: dict[str, str]) -> None:
    astropy(columns, {}).write(path, format="ascii.tab")


def ecsv(path: Path, columns: Columns, units: dict[str, str]) -> None:
    astropy(columns, units).write(path, format="ascii.ecsv")


def ecsv_commas(path: Path, columns: Columns, units: dict[str, str]) -> None:
    astropy(columns, units).write(path, format="ascii.ecsv", delimiter=",")


def fits(path: Path, columns: Columns, units: dict[str, str]) -> None:
    astropy(columns, units).write(path, format="fits")


def fits_gz(path: Path, columns: Columns, units: dict[str, str]) -> None:
    plain = path.with_suffix(".fits")
    fits(plain, columns, units)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def votable(form: str) -> Callable[[Path, Columns, dict[str, str]], None]:
    """A writer of VOTable, with its values in elements or as base64."""

    def write(path: Path, columns: Columns, units: dict[str, str]) -> None:
        whole = from_table(astropy(columns, units))
        whole.to_xml(str(path), tabledata_format=form)

    return write


def sextractor(path: Path, columns: Columns, units: dict[str, str]) -> None:
    """As SExtractor writes ASCII_HEAD; it has no gaps."""
    names = enumerate(columns, 1)
    unit = {name: f"[{unit}]" for name, unit in units.items()}
    head = [f"# {k:3} {name:22} {'about ' + name:58} {unit.get(name, '')}".rstrip() for k, name in names]
    rows = [" ".join(str(values[k]) for values in columns.values()) for k in range(len(first(columns)))]
    path.write_text("\n".join(head + rows) + "\n")


def parquet(path: Path, columns: Columns, units: dict[str, str]) -> None:
    pq.write_table(pa.table({name: pa.array(values) for name, values in arrow(columns).items()}), path)


def nested(kind: str) -> Callable[[Path, Columns, dict[str, str]], None]:
    """A writer of Parquet with one row an object: its rows are a list of structs, or a struct of lists."""

    def write(path: Path, columns: Columns, units: dict[str, str]) -> None:
        lists = arrow(columns)
        objects = lists.pop("object")
        names = list(dict.fromkeys(objects))
        rows = {name: [k for k, object_ in enumerate(objects) if object_ == name] for name in names}
        if kind == "list of structs":
            curves = [[{name: v[k] for name, v in lists.items()} for k in rows[o]] for o in names]
        else:
            curves = [{name: [v[k] for k in rows[o]] for name, v in lists.items()} for o in names]
        pq.write_table(pa.table({"object": names, "lightcurve": curves}), path)

    return write


def arrow(columns: Columns) -> dict[str, list]:
    """The columns as lists, with None in gaps."""
    return {name: np.ma.asarray(values).tolist() for name, values in columns.items()}


def first(columns: Columns) -> np.ndarray:
    return next(iter(columns.values()))


WRITERS = {
    "csv": csv,
    "csv.gz": csv_gz,
    "tabs": tabs,
    "ecsv": ecsv,
    "ecsv with commas": ecsv_commas,
    "fits": fits,
    "fits.gz": fits_gz,
    "votable": votable("tabledata"),
    "votable binary": votable("binary"),
    "votable binary2": votable("binary2"),
    "sextractor": sextractor,
    "parquet": parquet,
    "parquet list of structs": nested("list of structs"),
    "parquet struct of lists": nested("struct of lists"),
}
# What keeps units, and what has no gaps.
WITH_UNITS = [name for name in WRITERS if name.startswith(("ecsv", "fits", "votable", "sextractor"))]
WITHOUT_GAPS = ["sextractor"]
