"""Reading a store of light curves: one with its labels, many as rows, and all of it lazily."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from zarrange._curves import LightCurves, Picture
from zarrange._labelled import is_plain
from zarrange._lightcurve_base import Base, max_mem_of
from zarrange._making import label_list


class Reading(Base):
    """What reads a store of light curves."""

    def get_lightcurve(
        self,
        object_id: Any = None,
        measurement: Any = None,
        *,
        index: int | None = None,
        max_mem: str | int | None = None,
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
                _, data = self._native.read(name, wanted, max_mem_of(max_mem))
                array = np.frombuffer(data, variable.dtype.newbyteorder("=")).reshape(variable.shape)
                read[name] = variable.copy(deep=False, data=array)
            else:
                read[name] = variable.load()
        return found.assign(read)

    def get_object_lightcurve(
        self, object_key: Any, measurement_key: Any = None, value_key: Any = None
    ) -> Any:
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
            "max_mem": max_mem_of(max_mem),
        }
        if times is not None and asked["epochs"]:
            raise ValueError("epochs and times both say which epochs: give one of them")
        return LightCurves(self._native.curves(asked), self._attributes("time"))

    def plot(
        self, object_id: Any, *, measurements: Sequence[Any] = (), arrays: Sequence[str] = (), **options: Any
    ) -> Picture:
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
        return self._region(
            _objects(None, (float(ra), float(dec), float(radius)), None), "get_objects_in_cone"
        )

    def get_storage_info(self) -> dict[str, Any]:
        """What there is: dimensions, arrays and how they are cut, what of the epochs is filled, of a copy how far it is behind.

        Returns
        -------
        dict
            As ``zarrange lightcurve info --json`` prints it, and the `path`.
        """
        return {"path": self.path, **json.loads(self._native.info())}

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
        numbers = self._native.objects(objects, max_mem_of(None))
        return self._labelled(what).part({"object": np.asarray(numbers, "i8")})

    def _attributes(self, name: str) -> dict[str, Any]:
        """What is said of an array, if it is there."""
        import zarr
        import zarr.errors

        try:
            return zarr.open_array(
                self._store, path="/".join(p for p in (self._group, name) if p), mode="r"
            ).attrs.asdict()
        except (FileNotFoundError, KeyError, zarr.errors.NodeTypeValidationError):
            return {}


def _objects(objects: Sequence[Any] | None, cone: Any, box: Any) -> dict[str, Any]:
    labels = None if objects is None else label_list(objects, "objects")
    return {"labels": labels, "cone": cone, "sky_box": None if box is None else list(map(float, box))}
