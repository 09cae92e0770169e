"""Rechunk Zarr arrays within a fixed memory, verified.

Call :func:`rechunk` first: its parameters are those of the library rechunker, and it works on Zarr v2 and v3.

>>> import zarrange
>>> rechunked = zarrange.rechunk("by-epoch.zarr", (20, -1, 2), "1GB", "by-object.zarr")  # doctest: +SKIP
>>> rechunked.execute()  # doctest: +SKIP
<Array file://by-object.zarr shape=(50000, 1000, 2) dtype=float32>
"""

from zarrange import _accessor, executors
from zarrange._advise import Advice, Layout, advise
from zarrange._compare import Comparison, verify
from zarrange._info import info
from zarrange._lightcurve_fill import Filled
from zarrange._lightcurves import LightcurveStorage
from zarrange._native import VERSION, ConflictError, CorruptChunkError, VerificationError
from zarrange._plan import Plan, plan
from zarrange._rechunk import rechunk
from zarrange._rechunked import Rechunked, Report

_accessor.register_when_imported()

__version__ = VERSION

__all__ = [
    "Advice",
    "Comparison",
    "ConflictError",
    "CorruptChunkError",
    "Filled",
    "Layout",
    "LightcurveStorage",
    "Plan",
    "Rechunked",
    "Report",
    "VerificationError",
    "advise",
    "executors",
    "info",
    "plan",
    "rechunk",
    "verify",
]

