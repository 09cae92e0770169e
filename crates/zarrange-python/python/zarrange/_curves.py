"""Light curves as rows, and their pictures."""

from __future__ import annotations

import os
from typing import Any

from zarrange import _tables


class Picture:
    """A light curve as it is drawn. A notebook shows it."""

    def __init__(self, rows: Any, size: tuple[int, int], folded: tuple[float, float | None] | None) -> None:
        self._rows, self._how = rows, (size, folded)
        #: The picture as SVG.
        self.svg: str = rows.picture("svg", *self._how).decode()

    def png(self) -> bytes:
        """The same picture as PNG."""
        png: bytes = self._rows.picture("png", *self._how)
        return png

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it to a file, as SVG or PNG by the end of its name.

        Raises
        ------
        ValueError
            If the name ends otherwise.
        """
        end = os.path.splitext(os.fspath(path))[1].lower()
        if end not in (".svg", ".png"):
            raise ValueError(f"path={os.fspath(path)!r}: a picture is an .svg or a .png")
        with open(path, "wb") as file:
            file.write(self.png() if end == ".png" else self.svg.encode())

    def _repr_svg_(self) -> str:
        return self.svg


class LightCurves(_tables.Columns):
    """Light curves as rows, read by `LightcurveStorage.get_lightcurves`: a mapping of names to arrays of numpy, all of one length.

    A row is an object at an epoch in one measurement, with a column for each array of values. Rows come in the order in which they are stored;
    there is none where nothing was measured.
    """

    def __init__(self, rows: Any, times: dict[str, Any]) -> None:
        super().__init__(rows)
        self._times = times

    @property
    def objects(self) -> int:
        """How many objects there are, those without rows included."""
        return int(self._rows.objects)

    def to_arrow(self, nested: bool | str = False) -> Any:
        """The rows as a pyarrow.Table, without units.

        Parameters
        ----------
        nested : bool or str
            With True, or the name of the column, a row for each object, with its light curve in a list of structs (``lightcurve``).

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        return self._arrow("lightcurve" if nested is True else nested or None)

    def to_astropy(self, format: str | None = None, scale: str | None = None) -> Any:
        """The rows as an astropy.timeseries.TimeSeries, with units.

        Parameters
        ----------
        format : str, optional
            What times are, as astropy.time.Time has it: ``"mjd"``. It is needed where the store does not say (`timeorigin`).
        scale : str, optional
            The time scale. Without it that of the store (`timescale`), or what astropy takes for the format.

        Raises
        ------
        ImportError
            If astropy is not installed.
        ValueError
            If there are no times, or nobody says what they are.
        """
        time = _tables.module("astropy.time", "to_astropy").Time
        series = _tables.module("astropy.timeseries", "to_astropy").TimeSeries
        if "time" not in self:
            raise ValueError(f"there are no times: the columns are {', '.join(self)}")
        scale = scale or str(self._times.get("timescale", "")).lower() or None
        origin = self._times.get("timeorigin")
        if format is not None:
            times = time(self["time"], format=format, scale=scale)
        elif isinstance(origin, (int, float)):
            # In two parts, so that nothing is lost.
            times = time(float(origin), self["time"], format="jd", scale=scale)
        else:
            raise ValueError(
                "the store does not say what its times count (attribute timeorigin of its variable time): give format='mjd', or what they are"
            )
        others = [name for name in self if name != "time"]
        return series(time=times, data=self._with_units(others))

    def plot(
        self,
        *,
        fold: float | None = None,
        phase_zero: float | None = None,
        size: tuple[int, int] = (1200, 750),
    ) -> Picture:
        """Draws the light curve, of one object: bands in colours and markers of their own, error bars, magnitudes with bright above.

        Parameters
        ----------
        fold : float, optional
            A period; it is drawn over the phase then.
        phase_zero : float, optional
            The time of phase 0; that of the first value without it.
        size : (int, int)
            Width and height, in pixels.

        Raises
        ------
        ValueError
            If these are several objects, or nothing can be drawn.
        """
        return Picture(self._rows, size, None if fold is None else (fold, phase_zero))
