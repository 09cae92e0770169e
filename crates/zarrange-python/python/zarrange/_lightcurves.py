"""``zarrange.LightcurveStorage``: light curves that are filled epoch by epoch and read object by object."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zarrange import _contributions, _native, _process, _progress, _stores, _tables
from zarrange._curves import LightCurves, Picture
from zarrange._labelled import Labelled, is_plain
from zarrange._making import copy_path, cut_of, dimension, label, label_list, new_store, tables_folder
from zarrange._sizes import parse_bytes

Progress = bool | Callable[[str | None, int], None] | None


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


class LightcurveStorage:
    """A store of light curves: arrays over objects and epochs, whoever has written them.

    Make one by :meth:`create`, fill it by :meth:`populate_epoch`, and copy it by :meth:`rechunk_to_object_optimized` for reading. Something is named
    by its label along a dimension, or where that has none by its number, from 0.

    Parameters
    ----------
    path : str, path or zarr Store
        The place of a store. A URL is read through fsspec; filling needs a folder of this machine, for its locks.
    storage_options : dict, optional
        For URLs: passed to fsspec.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ValueError
        If it holds no light curves.
    """

    def __init__(self, path: Any, *, storage_options: dict[str, Any] | None = None) -> None:
        if isinstance(path, (str, os.PathLike)):
            self._store, self._group = _stores.opened(path, storage_options, mode="r")
        else:
            self._store, self._group = _stores.zarr_store(path), ""
        self._place = _stores.place(self._store, self._group)
        #: Where it lies: of a folder of this machine its path, of another place what zarr calls it.
        self.path: str = self._place if isinstance(self._place, str) else str(self._store)
        self._given = (self.path if isinstance(self._place, str) else path, storage_options)
        self._reopen()

    @classmethod
    def open(cls, path: Any, *, storage_options: dict[str, Any] | None = None) -> LightcurveStorage:
        """Opens the store at a place, as the class itself does when it is called."""
        return cls(path, storage_options=storage_options)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        n_objects: Any = None,
        max_epochs: Any = None,
        chunks: Mapping[str, int] | str | None = None,
        *,
        measurements: Any = None,
        arrays: Literal["flux", "labelled"] = "flux",
        values: Sequence[str] | None = None,
        units: str | None = None,
        times: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
        codecs: str | None = None,
        overwrite: bool = False,
        max_mem: str | int | None = None,
    ) -> LightcurveStorage:
        """Makes a store with nothing measured in it: all values are NaN.

        Parameters
        ----------
        path : str or path
            A folder, which must not be there.
        n_objects, max_epochs, measurements : int, sequence, table, str or path
            Along each dimension how many there are, or their labels (text or whole numbers, each there once), or a table (a mapping of columns, a
            DataFrame, an astropy Table, or the path of one): its column of the dimension's name, or else its first one, are the labels, and the
            others become side variables, such as ``ra`` and ``dec`` (degrees) of objects and ``time`` of epochs. Without `measurements` there are as many
            as a chunk has, or one.
        chunks : dict or str, optional
            Elements of a chunk by dimension, of which -1 is all; those that are not named are one epoch, and all of the others. Or a layout:
            ``"epoch-optimized"`` (the default), ``"object-optimized"``, ``"balanced"``, ``"time-blocks:N"``. In the arrays `flux` a chunk of ``value``
            has no meaning: each value has an array of its own.
        arrays : {"flux", "labelled"}
            ``flux`` and ``flux_err`` over (object, epoch, measurement), or one array ``lightcurves`` over (object, measurement, value, epoch). All are
            float32.
        values : (str, str), optional
            Labels along the dimension value of ``"labelled"``: value and uncertainty.
        units : str, optional
            The unit of all values.
        times : dict, optional
            What the side variable ``time`` counts, in days: ``timescale``, ``refposition`` (words of the IVOA), ``timeorigin`` (Julian Date).
        attributes : dict, optional
            Attributes of the group.
        codecs : str, optional
            As for ``zarrange rechunk``: ``"zstd:3"`` is the default.
        overwrite : bool
            Replaces what is there.
        max_mem : str or int, optional
            Memory for tables of dimensions; half of what is available without it.

        Raises
        ------
        FileExistsError
            If something is there.
        ValueError
            If a label is there twice, a dimension is not given, or no layout suits.

        Examples
        --------
        >>> storage = LightcurveStorage.create(path="curves.zarr", n_objects=10000, max_epochs=500)  # doctest: +SKIP
        """
        if isinstance(chunks, Mapping) and measurements is None:
            measurements = max(1, int(chunks.get("measurement", 1)))
        asked = new_store(
            {
                "objects": dimension(n_objects, "object", "n_objects"),
                "epochs": dimension(max_epochs, "epoch", "max_epochs"),
                "measurements": dimension(1 if measurements is None else measurements, "measurement", "measurements"),
            },
            arrays,
            values,
        )
        asked |= {
            "units": units,
            "time": json.dumps({"units": "d", **times} if times else {}),
            "attributes": json.dumps(dict(attributes or {})),
            "cut": cut_of(chunks, {"epoch": 1}, arrays == "labelled"),
            "codecs": codecs,
            "max_mem": _max_mem(max_mem),
        }
        store, group = _stores.opened(path, None, mode="a")
        for warning in _native.LightCurves.create(
            _stores.place(store, group), asked, overwrite, _process.backend("auto")
        ):
            warnings.warn(warning, stacklevel=2)
        return cls(path)

    @classmethod
    def create_for_per_epoch_write(
        cls, path: str | os.PathLike[str], objects: Any, measurements: Any, epochs: Any, **options: Any
    ) -> LightcurveStorage:
        """:meth:`create` of one array ``lightcurves`` over (object, measurement, value, epoch), a chunk for each epoch."""
        return cls.create(path, objects, epochs, measurements=measurements, **({"arrays": "labelled"} | options))

    # Filling

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
            "replace": {False: "never", True: "values"}.get(replace, replace),  # type: ignore[call-overload]
            "run": run,
            "wait": float(wait),
            "max_mem": _max_mem(max_mem),
        }
        self._check_writable()
        if isinstance(catalog, (int, np.integer)):
            raise TypeError(
                f"catalog={catalog!r} is no catalogue: populate_epoch takes it first and then the epoch, populate_epoch_v2 the other way round"
            )
        if isinstance(catalog, (str, os.PathLike)) or self._is_table(catalog):
            return self._fill_table(catalog, epoch_key, options | {"tolerance": tolerance, "ignore_units": ignore_units}, how)
        if epoch_key is None:
            raise ValueError("epoch_key is missing: arrays do not say of which epoch they are")
        for name, given in (("columns", columns), ("at", at), ("tolerance", tolerance)):
            if given is not None:
                raise ValueError(f"{name} is for tables, and catalog is none: it is {type(catalog)}, without a column of objects")
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
        first, size, unset = self._native.append(given, float(wait), _max_mem(max_mem))
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

    # Reading

    def get_lightcurve(
        self, object_id: Any = None, measurement: Any = None, *, index: int | None = None, max_mem: str | int | None = None
    ) -> Any:
        """Reads the light curve of one object.

        Parameters
        ----------
        object_id : str or int
            Its label; its number where objects have none.
        measurement : str or int, optional
            One measurement; all without it.
        index : int, optional
            The number of the object, in place of `object_id`.

        Returns
        -------
        xarray.Dataset
            The arrays of values over epochs and the other dimensions, in memory; with labels, and side variables that are read when they are looked at.

        Raises
        ------
        KeyError
            If there is no such object or measurement.
        ImportError
            If xarray is not installed: `get_lightcurves` needs none.
        """
        picked = {"object": self._number("object", object_id, index)}
        if measurement is not None:
            picked["measurement"] = self._number("measurement", measurement)
        wanted = ([picked["object"]], [picked["measurement"]] if measurement is not None else None, None)
        found = self._labelled("get_lightcurve").curve(picked)
        read = {}
        for name in self._schema.values:
            variable = found[name].variable
            if is_plain(variable):
                _, data = self._native.read(name, wanted, _max_mem(max_mem))
                array = np.frombuffer(data, variable.dtype.newbyteorder("=")).reshape(variable.shape)
                read[name] = variable.copy(deep=False, data=array)
            else:
                read[name] = variable.load()
        return found.assign(read)

    def get_object_lightcurve(self, object_key: Any, measurement_key: Any = None, value_key: Any = None) -> Any:
        """:meth:`get_lightcurve` as the DataArray of one array of values.

        Parameters
        ----------
        object_key, measurement_key : str or int
            Labels, or numbers where there are none.
        value_key : str, optional
            A label along the dimension value; or the name of an array of values.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            A Dataset where there are several arrays of values and none is named.
        """
        return self._one(self.get_lightcurve(object_key, measurement_key), value_key)

    def get_lightcurves(
        self,
        objects: Sequence[Any] | None = None,
        *,
        measurements: Sequence[Any] = (),
        epochs: Sequence[Any] = (),
        times: tuple[float | None, float | None] | None = None,
        arrays: Sequence[str] = (),
        cone: tuple[float, float, float] | None = None,
        box: tuple[float, float, float, float] | None = None,
        gaps: bool = False,
        recorded: bool = False,
        max_mem: str | int | None = None,
    ) -> LightCurves:
        """Reads many light curves at once, as rows. No chunk is decoded twice where all of its rows fit the memory.

        Parameters
        ----------
        objects : sequence, optional
            Their labels, or numbers where there are none; all objects, where neither these nor a region are given. They come in the order in which they
            are stored.
        measurements, epochs : sequence, optional
            Labels of those that are wanted.
        times : (float, float), optional
            Epochs from one time to another, both included; None is no bound.
        arrays : sequence of str, optional
            Arrays of values.
        cone : (ra, dec, radius), optional
            Objects within a radius, in degrees.
        box : (ra0, ra1, dec0, dec1), optional
            Objects in a box, in degrees, eastwards from `ra0`.
        gaps : bool
            Whether there are rows where nothing was measured.
        recorded : bool
            Leaves out what is not recorded as filled.
        max_mem : str or int, optional
            Memory for the rows, and as much for reading; half of what is available without it.

        Returns
        -------
        LightCurves
            Columns of numpy; a table of Arrow, pandas and astropy.

        Raises
        ------
        KeyError
            If a label is not there.
        MemoryError
            If the rows need more.
        """
        if sum(given is not None for given in (objects, cone, box)) > 1:
            raise ValueError("objects, cone and box say which objects: give one of them")
        low, high = times or (None, None)
        asked = {
            "objects": _objects(objects, cone, box),
            "measurements": label_list(measurements, "measurements"),
            "epochs": label_list(epochs, "epochs"),
            "times": None
            if times is None
            else (-np.inf if low is None else float(low), np.inf if high is None else float(high)),
            "arrays": list(arrays),
            "gaps": gaps,
            "recorded": recorded,
            "max_mem": _max_mem(max_mem),
        }
        if times is not None and asked["epochs"]:
            raise ValueError("epochs and times both say which epochs: give one of them")
        return LightCurves(self._native.curves(asked), self._attributes("time"))

    def plot(self, object_id: Any, *, measurements: Sequence[Any] = (), arrays: Sequence[str] = (), **options: Any) -> Picture:
        """Draws the light curve of one object; `options` are those of `LightCurves.plot`."""
        return self.get_lightcurves([object_id], measurements=measurements, arrays=arrays).plot(**options)

    @property
    def dataset(self) -> Any:
        """All of it as a lazy xarray.Dataset: values are read when they are computed with. Labels are read."""
        return self._labelled("dataset").whole

    def get_epoch_data(self, epoch_key: Any, measurement_key: Any = None, value_key: Any = None) -> Any:
        """What was measured at an epoch, of all objects.

        Parameters
        ----------
        epoch_key, measurement_key, value_key : str or int
            As for :meth:`get_object_lightcurve`.

        Returns
        -------
        xarray.DataArray or xarray.Dataset
            Lazy: nothing of the values is read before. A Dataset where there are several arrays of values and none is named.
        """
        picked = {self._schema.epochs: self._number(self._schema.epochs, epoch_key)}
        if measurement_key is not None:
            picked["measurement"] = self._number("measurement", measurement_key)
        return self._one(self._labelled("get_epoch_data").part(picked), value_key)

    def get_objects_in_region(self, ra_range: tuple[float, float], dec_range: tuple[float, float]) -> Any:
        """The objects between two right ascensions, eastwards from the first one, and two declinations.

        Parameters
        ----------
        ra_range, dec_range : (float, float)
            Degrees. ``(359, 1)`` is two degrees wide.

        Returns
        -------
        xarray.Dataset
            A lazy Dataset of these objects; ``.object.values`` are their labels, or numbers where they have none.

        Raises
        ------
        ValueError
            If objects have no positions: side variables ``ra`` and ``dec``.
        """
        box = (*map(float, ra_range), *map(float, dec_range))
        return self._region(_objects(None, None, box), "get_objects_in_region")

    def get_objects_in_cone(self, ra: float, dec: float, radius: float) -> Any:
        """The objects within a radius of a position, in degrees, as :meth:`get_objects_in_region` returns them."""
        return self._region(_objects(None, (float(ra), float(dec), float(radius)), None), "get_objects_in_cone")

    def get_storage_info(self) -> dict[str, Any]:
        """What there is: dimensions, arrays and how they are cut, what of the epochs is filled, of a copy how far it is behind.

        Returns
        -------
        dict
            As ``zarrange lightcurve info --json`` prints it, and the `path`.
        """
        return {"path": self.path, **json.loads(self._native.info())}

    # Copies in another layout

    def rechunk_to_object_optimized(
        self,
        output_path: str | os.PathLike[str],
        n_epochs: int | None = None,
        progress: Progress = None,
        *,
        chunk_size: int | None = None,
        max_mem: str | int | None = None,
        threads: int | None = None,
        verify: Literal["none", "sample", "full"] = "full",
        durability: Literal["commit", "none"] = "commit",
        overwrite: bool = False,
    ) -> LightcurveStorage:
        """Makes a copy that is read object by object: a light curve lies in one chunk. It is verified, and appears when it is complete.

        Parameters
        ----------
        output_path : str or path
            Where the copy goes.
        n_epochs : int, optional
            Epochs of a chunk, such as how many have data; all without it. There are more blocks of as many for the others. The copy has all epochs.
        progress : bool or callable, optional
            As for `Rechunked.execute`: True shows a bar, with tqdm.
        chunk_size : int, optional
            Objects of a chunk. Without it chunks of a few objects are chosen, in shards.
        max_mem, threads, verify, durability, overwrite
            As for `zarrange.rechunk`.

        Returns
        -------
        LightcurveStorage
            The copy. :meth:`sync` brings it up to date later.

        Raises
        ------
        FileExistsError
            If something is at `output_path`.
        """
        if n_epochs is not None and n_epochs < 1:
            raise ValueError(f"n_epochs={n_epochs!r}: a chunk has 1 epoch or more")
        if chunk_size is None:
            cut: Any = "object-optimized" if n_epochs is None else f"object-optimized:{n_epochs}"
        else:
            along = {} if n_epochs is None else {self._schema.epochs: n_epochs}
            cut = cut_of({"object": chunk_size, **along}, {}, True)
        store, group = _stores.opened(output_path, None, mode="a")
        asked = _copied(cut, max_mem, threads, verify, durability) | {"overwrite": overwrite}
        with _progress.shown(progress) as told:
            copied = _native.LightCurves.copy(self._place, _stores.place(store, group), asked, told)
        for warning in copied:
            warnings.warn(warning, stacklevel=2)
        return LightcurveStorage(output_path)

    def rechunk_for_per_object_read(
        self, chunk_size: int | None = None, output_path: str | os.PathLike[str] | None = None, **options: Any
    ) -> LightcurveStorage:
        """:meth:`rechunk_to_object_optimized` to a place beside this one: ``NAME_read.zarr``, of a store ``NAME.zarr`` or ``NAME_write.zarr``."""
        return self.rechunk_to_object_optimized(output_path or copy_path(self.path), chunk_size=chunk_size, **options)

    def sync(
        self,
        source: str | os.PathLike[str] | None = None,
        progress: Progress = None,
        *,
        max_mem: str | int | None = None,
        threads: int | None = None,
        verify: Literal["none", "sample", "full"] = "full",
        durability: Literal["commit", "none"] = "commit",
        wait: float = 60.0,
    ) -> dict[str, Any]:
        """Brings this copy up to date with the store that it was made of: what was filled and added there since.

        Parameters
        ----------
        source : str or path, optional
            Where that is now; where it was without it.
        progress, max_mem, threads, verify, durability
            As for :meth:`rechunk_to_object_optimized`.
        wait : float
            Seconds to wait for others.

        Returns
        -------
        dict
            ``epochs`` that were brought, ``new_epochs``, ``arrays`` of labels and side variables that differed, ``bytes_written``.

        Raises
        ------
        ValueError
            If this is no copy, or not of that store.
        """
        place = None if source is None else _stores.place(*_stores.opened(source, None, mode="r"))
        asked = _copied("object-optimized", max_mem, threads, verify, durability) | {"overwrite": False}
        self._check_writable()
        with _progress.shown(progress) as told:
            synced = json.loads(_native.LightCurves.sync(self._place, place, asked, float(wait), told))
        for warning in synced.pop("warnings"):
            warnings.warn(warning, stacklevel=2)
        self._reopen()
        return synced

    # Tables beside the store

    def save_metadata_table(self, name: str, table: Any) -> Path:
        """Writes a table beside the store, as Parquet, in place of one of this name: ``NAME.parquet`` in the folder ``STORE.tables``.

        Parameters
        ----------
        name : str
            What it is called.
        table : mapping of columns, pandas.DataFrame, astropy Table
            What it has. Units are not kept; columns are text, numbers of 64 bits, or truths.

        Returns
        -------
        pathlib.Path
            The file.
        """
        path = tables_folder(self._place, name) / f"{name}.parquet"
        made = _tables.made(table)
        path.parent.mkdir(exist_ok=True)
        made.save(path)
        return path

    def load_metadata_table(self, name: str, *, max_mem: str | int | None = None) -> _tables.Columns:
        """Reads a table that :meth:`save_metadata_table` wrote, or any other file of Parquet there.

        Returns
        -------
        Columns
            A mapping of names to arrays of numpy, with `to_pandas`, `to_arrow` and `to_astropy`.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        path = tables_folder(self._place, name) / f"{name}.parquet"
        return _tables.Columns(_native.Rows.open(path, _max_mem(max_mem)))

    # Inside

    def _reopen(self) -> None:
        _process.check_loop()
        self._opened = _native.LightCurves(self._place, _process.backend("auto"))
        self._process = os.getpid()
        self._schema = _contributions.Schema.of(self._opened.schema())
        self._as_labelled: Labelled | None = None
        self._known_labels: dict[str, list[str]] = {}

    @property
    def _native(self) -> Any:
        _process.check_loop()
        # What was opened before a fork has threads that are not in this process.
        if self._process != os.getpid():
            self._reopen()
        return self._opened

    def _labelled(self, what: str) -> Labelled:
        if self._as_labelled is None:
            self._as_labelled = Labelled(self._store, self._group, self._schema, what)
        return self._as_labelled

    def _check_writable(self) -> None:
        """Anybody can read a store of another place; only folders of this machine have locks."""
        if not isinstance(self._place, str):
            raise ValueError(
                f"{self.path} cannot be filled: contributions of several could be lost where there are no locks; fill a store in a folder"
            )

    def _number(self, name: str, key: Any, index: int | None = None) -> int:
        """The number of what `key` names along a dimension, or `index`."""
        if name not in self._schema.sizes:
            raise KeyError(f"the store has no dimension {name!r}: it has {', '.join(self._schema.sizes)}")
        if index is None:
            return self._native.places(name, [label(key, name)], _max_mem(None))[0]
        size = self._schema.sizes[name]
        if key is not None:
            raise ValueError(f"a label of {name} and its index are given: give one of them")
        if not 0 <= index < size:
            raise IndexError(f"index={index} is out of range: there are {size} along {name}, from 0")
        return index

    def _labels_of(self, name: str) -> list[str]:
        """Labels of a dimension that has few; numbers, where there are none."""
        if name not in self._known_labels:
            self._known_labels[name] = self._native.labels(name, _max_mem(None))
        return self._known_labels[name]

    def _value_labels(self) -> list[str]:
        return self._labels_of("value") if "value" in self._schema.sizes else list(self._schema.values)

    def _one(self, found: Any, value_key: Any) -> Any:
        """The DataArray of the only array of values, or of the value that is named; else the Dataset."""
        if len(self._schema.values) == 1 and value_key not in self._schema.values:
            array = found[next(iter(self._schema.values))]
            return array if value_key is None else array.isel(value=self._number("value", value_key))
        if value_key is None:
            return found
        if value_key not in self._schema.values:
            raise KeyError(f"there is no value {value_key!r}: there are {', '.join(self._schema.values)}")
        return found[value_key]

    def _region(self, objects: dict[str, Any], what: str) -> Any:
        numbers = self._native.objects(objects, _max_mem(None))
        return self._labelled(what).part({"object": np.asarray(numbers, "i8")})

    def _is_table(self, catalog: Any) -> bool:
        if _tables.is_frame(catalog):
            return True
        names = {"object", "object_id", "source_id", "id", "name", self._schema.labels.get("object")}
        keys = catalog if isinstance(catalog, Mapping) and not hasattr(catalog, "data_vars") else ()
        return any(isinstance(key, str) and key.lower() in names for key in keys)

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

    def _fill_table(self, catalog: Any, epoch_key: Any, options: dict[str, Any], how: dict[str, Any]) -> Filled:
        for name in ("objects", "measurements"):
            if options[name] is not None:
                raise ValueError(f"{name} is for arrays, and catalog is a table: its columns say what they are of, or columns= and at= do")
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

    def _attributes(self, name: str) -> dict[str, Any]:
        """What is said of an array, if it is there."""
        import zarr

        try:
            return zarr.open_array(self._store, path="/".join(p for p in (self._group, name) if p), mode="r").attrs.asdict()
        except (FileNotFoundError, KeyError, zarr.errors.NodeTypeValidationError):
            return {}

    def __reduce__(self) -> Any:
        return _opened, self._given

    def __repr__(self) -> str:
        sizes = " x ".join(f"{size} {name}" for name, size in self._schema.sizes.items())
        return f"<LightcurveStorage {self.path}: {', '.join(self._schema.values)} over {sizes}>"


def _opened(path: Any, storage_options: dict[str, Any] | None) -> LightcurveStorage:
    """A store that was pickled: it is opened again where it comes to."""
    return LightcurveStorage(path, storage_options=storage_options)


def _max_mem(given: str | int | None) -> int:
    return _native.default_max_mem() if given is None else parse_bytes(given)


def _objects(objects: Sequence[Any] | None, cone: Any, box: Any) -> dict[str, Any]:
    labels = None if objects is None else label_list(objects, "objects")
    return {"labels": labels, "cone": cone, "sky_box": None if box is None else list(map(float, box))}


def _copied(
    cut: Any, max_mem: str | int | None, threads: int | None, verify: str, durability: str
) -> dict[str, Any]:
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads!r} is no number of threads: 1 or more, or None for all processors")
    return {
        "cut": cut,
        "max_mem": _max_mem(max_mem),
        "threads": threads or _native.threads(),
        "verify": verify,
        "durability": durability,
        "backend": _process.backend("auto"),
    }
