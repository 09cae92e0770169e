"""Rechunk Zarr arrays within a fixed memory, verified.

Call :func:`rechunk` first: its parameters are those of the library rechunker, and it works on Zarr v2 and v3.

>>> import zarrange
>>> rechunked = zarrange.rechunk("by-epoch.zarr", (20, -1, 2), "1GB", "by-object.zarr")  # doctest: +SKIP
>>> rechunked.execute()  # doctest: +SKIP
<Array file://by-object.zarr shape=(50000, 1000, 2) dtype=float32>
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from zarrange import _accessor, executors
from zarrange._advise import Advice, Layout, advise
from zarrange._compare import Comparison, digest, verify
from zarrange._info import info
from zarrange._lightcurve_fill import Filled
from zarrange._lightcurves import LightcurveStorage
from zarrange._native import VERSION, ConflictError, CorruptChunkError, VerificationError
from zarrange._open import Array, Group, open
from zarrange._plan import Plan, plan
from zarrange._rechunk import rechunk
from zarrange._rechunked import Rechunked, Report

if _TYPE_CHECKING:
    from zarrange._store import Store

_accessor.register_when_imported()

__version__ = VERSION

__all__ = [
    "Advice",
    "Array",
    "Comparison",
    "ConflictError",
    "CorruptChunkError",
    "Filled",
    "Group",
    "Layout",
    "LightcurveStorage",
    "Plan",
    "Rechunked",
    "Report",
    "Store",
    "VerificationError",
    "advise",
    "digest",
    "executors",
    "info",
    "open",
    "plan",
    "rechunk",
    "verify",
]


def __getattr__(name: str) -> _Any:
    # It is a store of zarr, which takes longer to import than all of this.
    if name == "Store":
        from zarrange._store import Store

        return Store
    raise AttributeError(f"module 'zarrange' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
