"""Tables: what users give as one, and what they get."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zarrange import _native

#: A column as the extension takes it: its name, its unit, and what it holds.
Column = tuple[str, "str | None", tuple[str, Any]]


def module(name: str, what: str) -> Any:
    """The module `name`, which `what` needs.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.split(".")[0]
        if error.name not in (package, name):
            raise
        raise ImportError(
            f"{what} needs {package}, which is not installed: pip install {package}", name=package
        ) from None


def is_frame(given: Any) -> bool:
    """Whether something is a table by itself: of pandas, astropy, numpy or Arrow. A mapping may be one."""
    names = getattr(getattr(given, "dtype", None), "names", None)
    # Arrays of xarray can be tables of Arrow, and are arrays.
    return bool(names) or (
        any(hasattr(given, name) for name in ("iloc", "colnames", "__arrow_c_stream__"))
        and not hasattr(given, "dims")
    )


def columns_of(given: Any) -> list[tuple[str, Any, str | None]]:
    """Names, values and units of the columns of a table.

    Parameters
    ----------
    given : mapping, pandas.DataFrame, astropy Table, structured numpy array or Arrow table
        Of a DataFrame, an index with a name is a column, the first one.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if hasattr(given, "colnames"):
        units = ((name, getattr(given[name], "unit", None)) for name in given.colnames)
        return [(name, given[name], None if unit is None else str(unit)) for name, unit in units]
    if hasattr(given, "iloc"):
        if any(name is not None for name in given.index.names):
            given = given.reset_index()
        return [(str(name), given[name], None) for name in given.columns]
    if isinstance(given, Columns):
        return [(name, given[name], given.units[name]) for name in given]
    if isinstance(given, Mapping):
        return [(str(name), values, None) for name, values in given.items()]
    names = getattr(getattr(given, "dtype", None), "names", None)
    if names:
        return [(name, given[name], None) for name in names]
    if hasattr(given, "__arrow_c_stream__"):
        table = module("pyarrow", "a table of Arrow").table(given)
        return [(name, table.column(name).to_pandas(), None) for name in table.column_names]
    raise TypeError(
        f"{type(given)} is no table: a mapping of columns is, a pandas DataFrame, an astropy Table, or the path of one"
    )


def native(given: Any) -> tuple[list[Column], list[str]]:
    """The columns of a table for the extension, and those that it cannot have, with the reason.

    A column of several numbers becomes `NAME`, `NAME_1` and so on, as in files.
    """
    taken: list[Column] = []
    left_out = []
    for name, values, unit in columns_of(given):
        array = _array(values)
        if array.ndim == 2 and array.shape[1] <= 64 and array.dtype.kind in "fiub":
            parts = [(name if k == 0 else f"{name}_{k}", array[:, k]) for k in range(array.shape[1])]
        else:
            parts = [(name, array)]
        for part, elements in parts:
            found = cells(elements)
            if found is None:
                left_out.append(f"{part} ({elements.dtype}, {elements.ndim} dimensions)")
            else:
                taken.append((part, unit, found))
    return taken, left_out


def _array(values: Any) -> Any:
    """A column as an array of numpy, which may be masked."""
    if hasattr(values, "to_numpy"):
        dtype = getattr(values.dtype, "numpy_dtype", None)
        gaps = np.asarray(values.isna()) if dtype is not None and dtype.kind in "iub" else None
        if gaps is not None and gaps.any():
            return np.ma.MaskedArray(values.fillna(0).to_numpy(dtype), mask=gaps)
        return values.to_numpy()
    if hasattr(values, "unmasked") and hasattr(values, "mask"):  # astropy's Masked
        return np.ma.MaskedArray(np.asarray(values.unmasked), mask=values.mask)
    return values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)


def cells(array: Any) -> tuple[str, Any] | None:
    """The elements of a one-dimensional array, with their kind, for the extension; None if it cannot have them."""
    gaps = np.ma.getmaskarray(array) if isinstance(array, np.ma.MaskedArray) else None
    array = np.asarray(array.data if gaps is not None else array)
    if array.ndim != 1:
        return None
    kind = array.dtype.kind
    if kind == "O":
        return _objects(array, gaps)
    if kind == "f":
        floats = np.ascontiguousarray(array, "f8")
        if gaps is not None and gaps.any():
            floats = np.where(gaps, np.nan, floats)
        return "float", floats.view("u1")
    if kind in "iu":
        if kind == "u" and array.size and int(array.max()) > np.iinfo("i8").max:
            return "text", _gapped([str(value) for value in array.tolist()], gaps, "")
        return "integer", _gapped(array.tolist(), gaps, None)
    if kind == "b":
        return "bool", _gapped(array.tolist(), gaps, None)
    if kind in "UT":
        return "text", _gapped([str(text) for text in array.tolist()], gaps, "")
    if kind == "S":
        return "text", _gapped([text.decode() for text in array.tolist()], gaps, "")
    return None


def _gapped(values: list[Any], gaps: Any, nothing: Any) -> list[Any]:
    if gaps is None or not gaps.any():
        return values
    return [nothing if gap else value for value, gap in zip(values, gaps.tolist(), strict=True)]


def _objects(array: Any, gaps: Any) -> tuple[str, Any] | None:
    """Objects of Python: text, or numbers, with something for what is missing."""

    def is_missing(value: Any) -> bool:
        return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value

    missing = np.fromiter((is_missing(value) for value in array), "bool", len(array))
    missing = missing if gaps is None else missing | gaps
    there = [value for value, gap in zip(array.tolist(), missing, strict=True) if not gap]
    if not there or all(isinstance(value, (str, bytes)) for value in there):
        texts = [value.decode() if isinstance(value, bytes) else value for value in array.tolist()]
        return "text", _gapped(texts, missing, "")
    numbers = np.asarray(there)
    if numbers.dtype.kind not in "fiub" or numbers.ndim != 1:
        return None
    whole = np.zeros(len(array), numbers.dtype)
    whole[~missing] = numbers
    return cells(np.ma.MaskedArray(whole, mask=missing))


class Columns(Mapping[str, Any]):
    """A table that was read: a mapping of names to arrays of numpy, all of one length.

    It is a table of Arrow, too, for whoever takes one (`__arrow_c_stream__`, with pyarrow).
    """

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self._read: dict[str, Any] = {}
        #: The unit of each column; None where nobody says one.
        self.units: dict[str, str | None] = dict(rows.fields)
        self._names = list(self.units)

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            if name not in self.units:
                raise KeyError(name)
            dtype, data, missing = self._rows.column(self._names.index(name))
            array = np.array(data, dtype=object) if dtype == "object" else np.frombuffer(data, dtype)
            if missing is not None:
                array = np.ma.MaskedArray(array, mask=np.frombuffer(missing, "bool"))
            self._read[name] = array
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._rows.count)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.rows} rows of {', '.join(self)}>"

    def to_pandas(self) -> Any:
        """The table as a pandas.DataFrame; whole numbers and truths with gaps are nullable.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = module("pandas", "to_pandas")

        def column(values: Any) -> Any:
            if not isinstance(values, np.ma.MaskedArray):
                return values
            array = pandas.arrays.BooleanArray if values.dtype.kind == "b" else pandas.arrays.IntegerArray
            return array(values.data.copy(), np.ma.getmaskarray(values).copy())

        return pandas.DataFrame({name: column(values) for name, values in self.items()})

    def to_arrow(self) -> Any:
        """The table as a pyarrow.Table, without units.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        return self._arrow(None)

    def _arrow(self, nested: str | None) -> Any:
        pyarrow = module("pyarrow", "Arrow")
        ipc = module("pyarrow.ipc", "Arrow")
        return ipc.open_file(pyarrow.py_buffer(self._rows.arrow(nested))).read_all()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_astropy(self) -> Any:
        """The table as an astropy.table.QTable, with units.

        Raises
        ------
        ImportError
            If astropy is not installed.
        """
        return module("astropy.table", "to_astropy").QTable(self._with_units(list(self)))

    def _with_units(self, names: list[str]) -> dict[str, Any]:
        """Columns of astropy: quantities where the unit is known to it."""
        units = module("astropy.units", "to_astropy")
        out = {}
        for name in names:
            values, unit = self[name], self.units[name]
            if values.dtype.kind == "O":
                values = values.astype(str)
            if unit is not None and values.dtype.kind == "f":
                values = units.Quantity(values, units.Unit(unit, parse_strict="silent"), copy=False)
            out[name] = values
        return out

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Writes the table to a file, without units.

        Parameters
        ----------
        path : str or path
            The file; it appears when it is complete, in place of what was there.
        format : {"parquet", "arrow", "csv", "json", "jsonl"}, optional
            What its name ends with, where it is not given.
        """
        path = os.fspath(path)
        part = f"{path}.{os.getpid()}.part"
        try:
            self._rows.save(part, format or os.path.splitext(path)[1].lstrip("."))
            os.replace(part, path)
        finally:
            if os.path.exists(part):
                os.remove(part)


def made(given: Any) -> Columns:
    """The table that a user gives.

    Raises
    ------
    ValueError
        If it has no columns, or one that a table cannot have.
    """
    taken, left_out = native(given)
    if left_out:
        raise ValueError(
            f"columns that a table cannot have: {', '.join(left_out)}; leave them out, or give them as numbers or text"
        )
    return Columns(_native.Rows(taken))
