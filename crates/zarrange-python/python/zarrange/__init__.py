"""Rechunk Zarr arrays within a fixed memory, verified.

Call :func:`rechunk` first: its parameters are those of the library rechunker, and it works on Zarr v2 and v3.

>>> import zarrange
>>> rechunked = zarrange.rechunk("by-epoch.zarr", (20, -1, 2), "1GB", "by-object.zarr")  # doctest: +SKIP
>>> rechunked.execute()  # doctest: +SKIP
<Array file://by-object.zarr shape=(50000, 1000, 2) dtype=float32>
"""

from typing import Any as _Any

from zarrange import _accessor, executors
from zarrange._compare import Comparison, verify
from zarrange._info import info
from zarrange._lightcurve_fill import Filled
from zarrange._lightcurves import LightcurveStorage
from zarrange._native import ConflictError, CorruptChunkError, VerificationError
from zarrange._plan import Plan, plan
from zarrange._rechunk import rechunk
from zarrange._rechunked import Rechunked, Report

_accessor.register_when_imported()

__all__ = [
    "Comparison",
    "ConflictError",
    "CorruptChunkError",
    "Filled",
    "LightcurveStorage",
    "Plan",
    "Rechunked",
    "Report",
    "VerificationError",
    "executors",
    "info",
    "plan",
    "rechunk",
    "verify",
]


def __getattr__(name: str) -> _Any:
    """What costs more to look up than most users need it."""
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version("zarrange")
        except metadata.PackageNotFoundError:  # imported from a folder that nobody installed
            return "unknown"
    raise AttributeError(f"module 'zarrange' has no attribute {name!r}")
