"""What was measured at an epoch, as arrays: which objects and measurements they are of, and how they lie in a store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zarrange._making import short

MEASUREMENT = "measurement"
VALUE = "value"


@dataclass(frozen=True)
class Values:
    """An array of values: its dimensions without that of epochs, and the type of its elements."""

    name: str
    dims: tuple[str, ...]
    dtype: Any


@dataclass(frozen=True)
class Schema:
    """What a store is made of."""

    sizes: dict[str, int]
    #: The arrays of labels, of dimensions that have labels.
    labels: dict[str, str]
    epochs: str
    values: dict[str, Values]

    @classmethod
    def of(cls, told: str) -> Schema:
        read = json.loads(told)
        sizes = {dimension["name"]: dimension["size"] for dimension in read["dimensions"]}
        labels = {d["name"]: d["labels"] for d in read["dimensions"] if d["labels"] is not None}
        values = {}
        for array in read["values"]:
            dims = tuple(name for name in array["dimensions"] if name != read["epochs"])
            dtype = None if array["data_type"] is None else np.dtype(array["data_type"])
            values[array["name"]] = Values(array["name"], dims, dtype)
        return cls(sizes, labels, read["epochs"], values)


@dataclass
class Contribution:
    """Arrays that are given, and the labels of what they are of along dimensions; those that are not named are whole."""

    values: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Sequence[Any]] = field(default_factory=dict)


def contribution(
    schema: Schema, value_labels: Sequence[str], given: Any, labels: Mapping[str, Sequence[Any]]
) -> Contribution:
    """What is given for an epoch, array by array.

    Parameters
    ----------
    schema : Schema
        What the store is made of.
    value_labels : sequence of str
        Labels along the dimension of values; where there is none, the names of the arrays of values.
    given : array-like, mapping, or DataArray or Dataset of xarray
        What was measured.
    labels : dict
        The objects and measurements that it is of, where they are named.

    Raises
    ------
    ValueError
        If it has another shape than what it is for.
    TypeError
        If it is nothing of this.
    """
    made = Contribution(labels=dict(labels))
    if hasattr(given, "data_vars"):
        given = dict(given.data_vars)
    elif hasattr(given, "dims") and not isinstance(given, Mapping):
        given = {_array_of(schema, given): given} if VALUE not in given.dims or _has_value(schema) else given
    if isinstance(given, Mapping):
        if all(name in schema.values for name in given):
            for name, data in given.items():
                made.values[name] = _aligned(schema, schema.values[name], data, made)
        else:
            _by_measurement(schema, value_labels, given, made)
    else:
        _whole(schema, given, made)
    if not made.values:
        raise ValueError("catalog has nothing in it: no array of values is given")
    return made


def _has_value(schema: Schema) -> bool:
    return VALUE in schema.sizes


def _array_of(schema: Schema, given: Any) -> str:
    """The array of values that a DataArray is of: the one that is called so, or the only one."""
    if given.name in schema.values:
        return str(given.name)
    if len(schema.values) == 1:
        return next(iter(schema.values))
    raise ValueError(
        f"catalog is a DataArray called {given.name!r}, and the store has {_names(schema.values)}: call it as one of these, or give a Dataset"
    )


def _whole(schema: Schema, given: Any, made: Contribution) -> None:
    """One array of numbers: of all arrays of values along a last axis, or of the first one without it."""
    if hasattr(given, "dims"):
        dims = next(iter(schema.values.values())).dims
        given = _take_labels(schema, given, made).transpose(*dims, VALUE).values
    given = np.asarray(given)
    if given.dtype.kind not in "fiub":
        raise TypeError(
            f"catalog={short(given)} is nothing to fill an epoch with: an array of numbers is, a mapping, a table, or the path of one"
        )
    first, *others = schema.values.values()
    if _has_value(schema) or given.ndim == len(first.dims):
        made.values[first.name] = _shaped(schema, first, given, made)
        return
    if others and given.ndim == len(first.dims) + 1 and given.shape[-1] == len(schema.values):
        for k, array in enumerate(schema.values.values()):
            made.values[array.name] = _shaped(schema, array, given[..., k], made)
        return
    raise ValueError(
        f"catalog has shape {given.shape}: {_expected(schema, first, made)} is {first.name}"
        + (
            f", with {len(schema.values)} more along a last axis all of {_names(schema.values)}"
            if others
            else ""
        )
    )


def _aligned(schema: Schema, array: Values, data: Any, made: Contribution) -> Any:
    """The elements of an array in the order of its dimensions."""
    if hasattr(data, "dims"):
        data = _take_labels(schema, data, made)
        if set(data.dims) != set(array.dims):
            raise ValueError(f"{array.name} is given over {tuple(data.dims)}, and is over {array.dims}")
        data = data.transpose(*array.dims).values
    return _shaped(schema, array, np.asarray(data), made)


def _take_labels(schema: Schema, data: Any, made: Contribution) -> Any:
    """A DataArray without the dimension of epochs; its labels of objects and measurements count where none are told."""
    if schema.epochs in data.dims:
        if data.sizes[schema.epochs] != 1:
            raise ValueError(f"catalog is over {data.sizes[schema.epochs]} epochs: give one at a time")
        data = data.squeeze(schema.epochs)
    for name in ("object", MEASUREMENT):
        label = next((label for label in (name, schema.labels.get(name)) if label in data.coords), None)
        if label is None or name not in data.dims or name not in schema.labels:
            continue
        found = data.coords[label].values.tolist()
        if list(made.labels.setdefault(name, found)) != found:
            raise ValueError(
                f"catalog has other labels of {name} than those that are given or another array has"
            )
    return data


def _shaped(schema: Schema, array: Values, data: Any, made: Contribution) -> Any:
    if array.dtype is None:
        raise ValueError(f"{array.name} is of a type that cannot be filled")
    if data.dtype.kind not in "fiub":
        raise TypeError(f"{array.name} is given as {data.dtype}, numbers are expected")
    expected = tuple(_length(schema, name, made) for name in array.dims)
    if data.shape != expected:
        raise ValueError(
            f"{array.name} is given with shape {data.shape}, expected is {_expected(schema, array, made)}"
        )
    whole = array.dtype.kind in "iu"
    converted = np.ascontiguousarray(data, array.dtype)
    if whole and not np.array_equal(converted, data):
        raise ValueError(f"{array.name} is of {array.dtype}, and cannot have all of what is given")
    return converted


def _length(schema: Schema, name: str, made: Contribution) -> int:
    return len(made.labels[name]) if name in made.labels else schema.sizes[name]


def _expected(schema: Schema, array: Values, made: Contribution) -> str:
    return "(" + ", ".join(f"{name}={_length(schema, name, made)}" for name in array.dims) + ")"


def _by_measurement(
    schema: Schema, value_labels: Sequence[str], given: Mapping[Any, Any], made: Contribution
) -> None:
    """Arrays over objects by their measurement, or by that and their value."""
    if MEASUREMENT not in schema.sizes or any(name in schema.values for name in given):
        raise ValueError(f"catalog names {_names(given)}: the arrays of values are {_names(schema.values)}")
    if MEASUREMENT in made.labels:
        raise ValueError(f"catalog names {_names(given)}, and measurements are given, too: give them once")
    parts: dict[tuple[str, str], Any] = {}
    for key, data in given.items():
        measurement, value = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
        if value is not None:
            parts[str(measurement), str(value)] = data
        elif isinstance(data, Mapping):
            parts |= {(str(measurement), str(name)): part for name, part in data.items()}
        else:
            data = np.asarray(data)
            if data.ndim not in (1, 2) or data.shape[1:] > (len(value_labels),):
                raise ValueError(
                    f"catalog[{measurement!r}] has shape {data.shape}: expected are objects, or objects and {len(value_labels)} values"
                )
            planes = [data] if data.ndim == 1 else list(data.T)
            parts |= {(str(measurement), value_labels[k]): plane for k, plane in enumerate(planes)}
    measurements = list(dict.fromkeys(measurement for measurement, _ in parts))
    made.labels[MEASUREMENT] = measurements
    objects = _length(schema, "object", made)
    for (measurement, value), data in parts.items():
        if value not in value_labels:
            raise KeyError(
                f"catalog[{measurement!r}] has a value {value!r}: there are {_names(value_labels)}"
            )
        data = np.asarray(data)
        if data.shape != (objects,) or data.dtype.kind not in "fiub":
            raise ValueError(
                f"catalog[{measurement!r}, {value!r}] is {short(data)}, of shape {data.shape}: {objects} numbers are expected, one for each object"
            )
        array = next(iter(schema.values.values())) if _has_value(schema) else schema.values[value]
        at = {MEASUREMENT: measurements.index(measurement), VALUE: list(value_labels).index(value)}
        plane = made.values.setdefault(array.name, _nothing(schema, array, made))
        plane[tuple(slice(None) if name == "object" else at[name] for name in array.dims)] = data


def _nothing(schema: Schema, array: Values, made: Contribution) -> Any:
    if (
        array.dtype is None
        or array.dtype.kind != "f"
        or not set(array.dims) <= {"object", MEASUREMENT, VALUE}
    ):
        raise ValueError(
            f"{array.name} cannot be filled by measurements: it is of {array.dtype} over {array.dims}; give it whole, by its name"
        )
    return np.full([_length(schema, name, made) for name in array.dims], np.nan, array.dtype)


def _names(names: Any) -> str:
    return ", ".join(repr(name) for name in list(names)[:10])
