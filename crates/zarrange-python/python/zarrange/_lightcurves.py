"""``zarrange.LightcurveStorage``: light curves that are filled epoch by epoch and read object by object."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from zarrange import _native, _process, _progress, _stores, _tables
from zarrange._lightcurve_base import max_mem_of
from zarrange._lightcurve_fill import Filling
from zarrange._lightcurve_read import Reading
from zarrange._making import copy_path, cut_of, dimension, new_store, tables_folder

Progress = bool | Callable[[str | None, int], None] | None


class LightcurveStorage(Filling, Reading):
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
        cut = cut_of(chunks, {"epoch": 1}, arrays == "labelled")
        if isinstance(chunks, Mapping) and measurements is None:
            measurements = max(1, chunks.get("measurement", 1))
        asked = new_store(
            {
                "objects": dimension(n_objects, "object", "n_objects"),
                "epochs": dimension(max_epochs, "epoch", "max_epochs"),
                "measurements": dimension(
                    1 if measurements is None else measurements, "measurement", "measurements"
                ),
            },
            arrays,
            values,
        )
        asked |= {
            "units": units,
            "time": json.dumps({"units": "d", **times} if times else {}),
            "attributes": json.dumps(dict(attributes or {})),
            "cut": cut,
            "codecs": codecs,
            "max_mem": max_mem_of(max_mem),
        }
        place = _stores.place(*_stores.opened(path, None, mode="a"))
        if not isinstance(place, str):
            raise ValueError(
                f"path={path!r} is no folder of this machine, where a store could be filled: make it in one, and copy it"
            )
        for warning in _native.LightCurves.create(place, asked, overwrite, _process.backend("auto")):
            warnings.warn(warning, stacklevel=2)
        return cls(path)

    @classmethod
    def create_for_per_epoch_write(
        cls, path: str | os.PathLike[str], objects: Any, measurements: Any, epochs: Any, **options: Any
    ) -> LightcurveStorage:
        """:meth:`create` of one array ``lightcurves`` over (object, measurement, value, epoch), a chunk for each epoch."""
        options.setdefault("arrays", "labelled")
        return cls.create(path, objects, epochs, measurements=measurements, **options)

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
        verify: Literal["none", "sample", "digest", "full"] = "full",
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
        return self.rechunk_to_object_optimized(
            output_path or copy_path(self.path), chunk_size=chunk_size, **options
        )

    def sync(
        self,
        source: str | os.PathLike[str] | None = None,
        progress: Progress = None,
        *,
        max_mem: str | int | None = None,
        threads: int | None = None,
        verify: Literal["none", "sample", "digest", "full"] = "full",
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
            synced: dict[str, Any] = json.loads(
                _native.LightCurves.sync(self._place, place, asked, float(wait), told)
            )
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
        return _tables.Columns(_native.Rows.open(path, max_mem_of(max_mem)))


def _copied(
    cut: Any, max_mem: str | int | None, threads: int | None, verify: str, durability: str
) -> dict[str, Any]:
    if threads is not None and threads < 1:
        raise ValueError(
            f"threads={threads!r} is no number of threads: 1 or more, or None for all processors"
        )
    return {
        "cut": cut,
        "max_mem": max_mem_of(max_mem),
        "threads": threads or _native.threads(),
        "verify": verify,
        "durability": durability,
        "backend": _process.backend("auto"),
    }
