"""What a new store of light curves is asked for, and what places are called."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zarrange import _tables


def label(key: Any, name: str) -> str:
    """A label as text: whole numbers and text are labels.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(key, (str, np.str_)):
        return str(key)
    if isinstance(key, (bytes, np.bytes_)):
        return key.decode()
    if np.ndim(key) == 0 and hasattr(key, "item") and not isinstance(key, np.generic):
        return label(key.item(), name)  # such as a DataArray of one label
    if not isinstance(key, (bool, np.bool_)):
        number: Any = key
        try:
            return str(operator.index(number))
        except TypeError:
            pass
    raise TypeError(f"{name}={short(key)} is no label: text is, or a whole number")


def short(given: Any) -> str:
    """Something as a message shows it."""
    text = " ".join(repr(given).split())
    return text if len(text) < 60 else f"{text[:57]}..."


def label_list(labels: Any, parameter: str) -> list[str]:
    """Labels as text."""
    if isinstance(labels, (str, bytes)) or np.ndim(labels) == 0:
        raise TypeError(f"{parameter}={labels!r} is one label, several are expected: [{labels!r}]")
    return [label(key, parameter) for key in (labels.tolist() if hasattr(labels, "tolist") else labels)]


def dimension(given: Any, name: str, parameter: str) -> dict[str, Any]:
    """A dimension of a new store: how long it is, its labels and side variables.

    Raises
    ------
    ValueError
        If nothing is given, or labels cannot be such.
    """
    made: dict[str, Any] = {"size": 0, "labels": None, "side": [], "table": None}
    if given is None:
        raise ValueError(f"{parameter} is missing: how many there are along {name}, or their labels")
    if isinstance(given, (str, os.PathLike)):
        return made | {"table": given}
    if _tables.is_frame(given) or isinstance(given, Mapping):
        columns, left_out = _tables.native(given)
        if left_out:
            raise ValueError(f"{parameter} has columns that cannot be stored: {', '.join(left_out)}")
        if not columns:
            raise ValueError(f"{parameter} is a table without columns")
        first = next((column for column in columns if column[0] == name), columns[0])
        return made | {
            "size": len(_values(first)),
            "labels": first,
            "side": [column for column in columns if column is not first],
        }
    try:
        size = operator.index(given)
    except TypeError:
        pass
    else:
        if size < 0:
            raise ValueError(f"{parameter}={size} is no length: 0 or more")
        return made | {"size": size}
    labels = np.asarray(given)
    cells = _tables.cells(labels)
    if cells is None:
        raise ValueError(f"{parameter} are no labels: of type {labels.dtype}, with {labels.ndim} dimensions")
    return made | {"size": len(labels), "labels": (name, None, cells)}


def _values(column: _tables.Column) -> Any:
    kind, data = column[2]
    return data.view("f8") if kind == "float" else data


def new_store(dimensions: dict[str, Any], arrays: str, values: Sequence[str] | None) -> dict[str, Any]:
    """What a new store has along its dimensions, and which arrays."""
    if arrays not in ("flux", "labelled"):
        raise ValueError(f"arrays={arrays!r} is neither 'flux' nor 'labelled'")
    if values is None:
        return dimensions | {"arrays": arrays, "value_labels": None}
    if arrays == "flux":
        raise ValueError(
            "values are labels of the arrays 'labelled': in 'flux' each value has an array of its own"
        )
    labels = label_list(values, "values")
    if len(labels) != 2:
        raise ValueError(f"values={labels!r}: two are expected, of a value and its uncertainty")
    return dimensions | {"arrays": arrays, "value_labels": ("value", None, ("text", labels))}


def cut_of(chunks: Mapping[str, int] | str | None, usual: dict[str, int], has_value: bool) -> Any:
    """How arrays are cut, for the extension.

    Raises
    ------
    ValueError
        If a length is none.
    """
    if chunks is None:
        return "epoch-optimized"
    if isinstance(chunks, str):
        return chunks
    if not isinstance(chunks, Mapping):
        raise TypeError(
            f"chunks={chunks!r} is no layout: a dict by dimension is, or a word such as 'object-optimized'"
        )
    lengths = []
    for name, length in (usual | dict(chunks)).items():
        try:
            length = operator.index(length)
        except TypeError:
            raise TypeError(f"chunks[{name!r}]={length!r} is no whole number") from None
        if length < 1 and length != -1:
            raise ValueError(f"chunks[{name!r}]={length} is no length: 1 or more, or -1 for all")
        # -1 is all, which those have that are not named.
        if length > 0 and (name != "value" or has_value):
            lengths.append((name, length))
    return lengths


def copy_path(path: str) -> str:
    """Where the copy of a store is made, where nobody says it: beside it."""
    if "://" in path or not os.path.isdir(path):
        raise ValueError(
            f"output_path is missing: {path} is no folder of this machine, beside which the copy could be"
        )
    folder, name = os.path.split(path)
    return os.path.join(folder, name.removesuffix(".zarr").removesuffix("_write") + "_read.zarr")


def tables_folder(place: Any, name: str) -> Path:
    """The folder of tables beside a store, for one of this name.

    Raises
    ------
    ValueError
        If the store is no folder, or the name none of a file.
    """
    if not isinstance(place, str):
        raise ValueError("tables lie beside a store in a folder of this machine: this one is none")
    if not name or name.startswith(".") or any(sign in name for sign in "/\\\0"):
        raise ValueError(f"name={name!r} is no name of a table: without / and without a dot at its begin")
    return Path(f"{place.removesuffix('.zarr')}.tables")
