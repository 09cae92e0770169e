"""The store of light curves that the tests share."""

import numpy as np

from zarrange import LightcurveStorage

OBJECTS, EPOCHS, BANDS = 6, 4, ["g", "r"]
IDS = [f"I{k}" for k in range(OBJECTS)]
NIGHTS = [f"n{k}" for k in range(EPOCHS)]
SKY = {"object": IDS, "ra": [359.0, 359.5, 0.5, 10.0, 20.0, 30.0], "dec": [0.0, 1.0, -1.0, 5.0, 6.0, 7.0]}
WHEN = {"epoch": NIGHTS, "time": 59000.0 + np.arange(EPOCHS)}
TDB = {"timescale": "TDB", "refposition": "BARYCENTER", "timeorigin": 2400000.5}


def measured(objects=OBJECTS, epochs=EPOCHS, measurements=len(BANDS)):
    """Values over (epoch, object, measurement, value) that are all different, with one gap."""
    shape = (epochs, objects, measurements, 2)
    values = np.arange(np.prod(shape), dtype="f4").reshape(shape) + 1
    values[0, 0] = np.nan
    return values


def made(path="curves.zarr", arrays="flux", fill=True, **options):
    """A store with labels along every dimension."""
    storage = LightcurveStorage.create(
        path, SKY, WHEN, measurements=BANDS, arrays=arrays, units="nJy", times=TDB, **options
    )
    for epoch, values in enumerate(measured() if fill else ()):
        storage.populate_epoch(values, NIGHTS[epoch])
    return storage
