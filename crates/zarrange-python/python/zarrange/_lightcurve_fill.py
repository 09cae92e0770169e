"""Filling a store of light curves: contributions to an epoch, and epochs that are added."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from zarrange import _contributions, _tables
from zarrange._lightcurve_base import Base, max_mem_of
from zarrange._making import dimension, label, label_list


@dataclass(frozen=True)
class Filled:
    """What filling did."""

    #: Values that were not there before, or others.
    changed: int
    #: Chunks that were written.
    chunks: int
    #: Epochs that were filled, by their numbers.
    epochs: tuple[int, ...]
    #: Rows of a table that were used, and that were not, with the reasons of the first ones.
    rows: int = 0
    rejected: int = 0
    reasons: tuple[str, ...] = ()
    #: In a store where each object has times of its own: new observations.
    added: int = 0


class Filling(Base):
    """What fills a store of light curves."""

    def populate_epoch(
        self,
        catalog: Any,
        epoch_key: Any = None,
        *,
        objects: Sequence[Any] | None = None,
        measurements: Sequence[Any] | None = None,
        columns: Mapping[str, str] | None = None,
        at: Mapping[str, Any] | None = None,
        replace: bool | Literal["all"] = False,
        run: str = "",
        wait: float = 60.0,
        tolerance: float | None = None,
        ignore_units: bool = False,
        max_mem: str | int | None = None,
    ) -> Filled:
        """Adds what was measured at an epoch, and records it. What others add to the same epoch, also at the same time in other processes, stays.

        Parameters
        ----------
        catalog : array, mapping, xarray object, table, str or path
            *Arrays*, float32 or what becomes it, NaN where nothing was measured:

            - a mapping of the names of arrays of values to arrays over their dimensions but that of epochs: for ``flux`` (object, measurement);
            - a mapping of labels of measurements to arrays (object) or (object, value), or to mappings of values to arrays (object); or of pairs
              (measurement, value) to arrays (object);
            - an array (object, measurement) of the first array of values, or (object, measurement, value) of all;
            - a DataArray or Dataset of xarray, whose labels of objects and measurements count.

            *A table*: a mapping of columns, a pandas DataFrame, an astropy Table, or the path of a file (CSV, ECSV, FITS, VOTable, SExtractor, Parquet).
            One with a column of objects is one. Columns are found by their names, as ``zarrange lightcurve fill`` does.
        epoch_key : str or int, optional
            The label of the epoch; its number where epochs have none. A table may have a column of epochs or times instead.
        objects, measurements : sequence, optional
            Labels of what arrays are of, in their order; all there are without it.
        columns : dict, optional
            Of a table, what columns are that are called otherwise: ``{"object": "NUMBER", "flux[g]": "FLUX_G"}``.
        at : dict, optional
            Of a table, what all rows have in common: ``{"measurement": "g"}``.
        replace : bool or "all"
            What becomes of a value that is there, where another is given: an error, or with True it is replaced; with ``"all"`` NaN replaces, too
            (arrays only).
        run : str
            The name of this run in the record.
        wait : float
            Seconds to wait for others who fill the same epoch.
        tolerance : float, optional
            Of a table, how far the time of a row may be from that of its epoch; a second, where times are days.
        ignore_units : bool
            Of a table, whether its units may contradict those of the store.
        max_mem : str or int, optional
            Memory for chunks and labels; half of what is available without it.

        Returns
        -------
        Filled
            What was done. Rows of a table that could not be used are warned of; the others are filled.

        Raises
        ------
        ConflictError
            If another value is there; nothing of the epoch is written then.
        KeyError
            If there is no such epoch, object, measurement or array.
        ValueError
            If shapes do not fit, or columns do not say what they are.
        TimeoutError
            If others fill the same epoch for longer than `wait`.
        """
        options = {"objects": objects, "measurements": measurements, "columns": columns, "at": at}
        how = {
            "replace": ("values" if replace else "never") if isinstance(replace, bool) else replace,
            "run": run,
            "wait": float(wait),
            "max_mem": max_mem_of(max_mem),
        }
        self._check_writable()
        if isinstance(catalog, (int, np.integer)):
            raise TypeError(
                f"catalog={catalog!r} is no catalogue: populate_epoch takes it first and then the epoch, populate_epoch_v2 the other way round"
            )
        if isinstance(catalog, (str, os.PathLike)) or self._is_table(catalog, columns):
            return self._fill_table(
                catalog, epoch_key, options | {"tolerance": tolerance, "ignore_units": ignore_units}, how
            )
        if epoch_key is None:
            raise ValueError("epoch_key is missing: arrays do not say of which epoch they are")
        for name, given in (("columns", columns), ("at", at), ("tolerance", tolerance)):
            if given is not None:
                raise ValueError(
                    f"{name} is for tables, and catalog is none: it is {type(catalog)}, without a column of objects"
                )
        return self._fill(catalog, self._number(self._schema.epochs, epoch_key), options, how)

    def populate_epoch_v2(self, epoch_idx: int, epoch_data: Any, **options: Any) -> Filled:
        """:meth:`populate_epoch` of the epoch of a number, from 0."""
        size = self._schema.sizes[self._schema.epochs]
        if not 0 <= epoch_idx < size:
            raise IndexError(f"epoch_idx={epoch_idx} is out of range: there are {size} epochs, from 0")
        key = self._labels_of(self._schema.epochs)[epoch_idx]
        return self.populate_epoch(epoch_data, key, **options)

    def append_epochs(self, epochs: Any, *, wait: float = 60.0, max_mem: str | int | None = None) -> range:
        """Adds epochs with nothing measured in them; nobody sees a part of it.

        Parameters
        ----------
        epochs : int, sequence, table, str or path
            As for :meth:`create`. Side variables that it leaves out have their fill value for them.

        Returns
        -------
        range
            Their numbers.

        Raises
        ------
        ValueError
            If a label is there already, or epochs have labels and none are given.
        """
        given = dimension(epochs, self._schema.epochs, "epochs")
        self._check_writable()
        first, size, unset = self._native.append(given, float(wait), max_mem_of(max_mem))
        if unset:
            warnings.warn(f"{', '.join(unset)} have no value for the new epochs", stacklevel=2)
        self._reopen()
        return range(first, size)

    def append_epoch_data(
        self, epoch_key: Any, catalog: Any, *, variables: Mapping[str, Any] | None = None, **options: Any
    ) -> Filled:
        """Adds an epoch behind the others, if it is not there yet, and what was measured at it. It can be called again with the same.

        Parameters
        ----------
        epoch_key : str or int
            Its label; where epochs have none the number of the next one.
        catalog : array, mapping, xarray object, table, str or path
            As for :meth:`populate_epoch`.
        variables : dict, optional
            Side variables of the epoch, such as its ``time``.
        **options
            As for :meth:`populate_epoch`.
        """
        self._reopen()
        epochs = self._schema.epochs
        try:
            self._number(epochs, epoch_key)
        except KeyError:
            size = self._schema.sizes[epochs]
            if epochs not in self._schema.labels and str(epoch_key) != str(size):
                raise
            columns = {name: [value] for name, value in (variables or {}).items()}
            named = epochs in self._schema.labels
            if columns and not named:
                raise ValueError("variables cannot be given: epochs of this store have no labels") from None
            try:
                self.append_epochs({epochs: [epoch_key], **columns} if named else 1)
            except (RuntimeError, ValueError):
                # Somebody else may have added the same.
                self._reopen()
                self._number(epochs, epoch_key)
        return self.populate_epoch(catalog, epoch_key, **options)

    def _is_table(self, catalog: Any, columns: Mapping[str, str] | None) -> bool:
        """Whether something has a column of objects: the one that is told, or one that is called so."""
        if _tables.is_frame(catalog):
            return True
        if not isinstance(catalog, Mapping) or hasattr(catalog, "data_vars"):
            return False
        told = (columns or {}).get("object")
        names = {"object", "object_id", "source_id", "id", "name", self._schema.labels.get("object")}
        return told in catalog or any(isinstance(key, str) and key.lower() in names for key in catalog)

    def _fill(self, catalog: Any, epoch: int, options: dict[str, Any], how: dict[str, Any]) -> Filled:
        labels = {
            name: label_list(given, f"{name}s")
            for name, given in (("object", options["objects"]), ("measurement", options["measurements"]))
            if given is not None
        }
        made = _contributions.contribution(self._schema, self._value_labels(), catalog, labels)
        numbers = {
            name: self._native.places(name, label_list(given, f"{name}s"), how["max_mem"])
            for name, given in made.labels.items()
        }
        changed, chunks = self._native.fill(
            {
                "epoch": epoch,
                "objects": numbers.get("object"),
                "measurements": numbers.get("measurement"),
                "values": [(name, array.reshape(-1).view("u1")) for name, array in made.values.items()],
            },
            how,
        )
        return Filled(changed, chunks, (epoch,))

    def _fill_table(
        self, catalog: Any, epoch_key: Any, options: dict[str, Any], how: dict[str, Any]
    ) -> Filled:
        for name in ("objects", "measurements"):
            if options[name] is not None:
                raise ValueError(
                    f"{name} is for arrays, and catalog is a table: its columns say what they are of, or columns= and at= do"
                )
        if how["replace"] == "all":
            raise ValueError("replace='all' is for arrays: a gap in a table takes nothing away")
        at = {name: label(given, name) for name, given in (options["at"] or {}).items()}
        if epoch_key is not None:
            at[self._schema.epochs] = label(epoch_key, self._schema.epochs)
        is_file = isinstance(catalog, (str, os.PathLike))
        table, left_out = ([], []) if is_file else _tables.native(catalog)
        if left_out:
            warnings.warn(f"columns that cannot be read are left out: {', '.join(left_out)}", stacklevel=3)
        told = json.loads(
            self._native.fill_table(
                {
                    "path": catalog if is_file else None,
                    "table": table,
                    "columns": [(what, column) for what, column in (options["columns"] or {}).items()],
                    "at": list(at.items()),
                    "tolerance": options["tolerance"],
                    "ignore_units": options["ignore_units"],
                },
                how,
            )
        )
        if told["rejected"]:
            first = "; ".join(told["first_rejected"][:3])
            warnings.warn(f"{told['rejected']} rows of the table are not used: {first}", stacklevel=3)
        return Filled(
            told["changed"],
            told["chunks"],
            tuple(told["epochs"]),
            told["rows"],
            told["rejected"],
            tuple(told["first_rejected"]),
            told["added"],
        )
