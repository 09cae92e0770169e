"""Sizes in bytes, as users of dask and rechunker write them."""

from __future__ import annotations

import math
import numbers
import re

_UNITS = {"": 1, "b": 1}
for _k, _prefix in enumerate("kmgtp", start=1):
    _UNITS |= {_prefix: 1000**_k, f"{_prefix}b": 1000**_k, f"{_prefix}i": 1024**_k, f"{_prefix}ib": 1024**_k}


def parse_bytes(size: str | float, parameter: str = "max_mem") -> int:
    """The number of bytes that `size` says.

    Parameters
    ----------
    size : int, float or str
        A number of bytes, or text such as ``"100MB"``, ``"1 GiB"`` or ``"1e9"``. Units are powers of 1000, with an ``i`` powers of 1024;
        case does not matter.
    parameter : str
        What it is called in messages.

    Raises
    ------
    ValueError
        If it is no size, or not above 0.
    TypeError
        If it is neither a number nor text.
    """
    if isinstance(size, str):
        found = re.fullmatch(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)?\s*([a-z]*)\s*", size.lower())
        number, unit = found.groups() if found else (None, None)
        if unit not in _UNITS or (number is None and not unit):
            raise ValueError(f"{parameter}={size!r} is not a size: such as '256MB', '1GiB', 1e9")
        try:
            bytes_ = float(number or 1) * _UNITS[unit]
        except ValueError:
            raise ValueError(f"{parameter}={size!r} is not a size: {number!r} is no number") from None
    elif isinstance(size, numbers.Real) and not isinstance(size, bool):
        bytes_ = float(size) if not isinstance(size, numbers.Integral) else int(size)
    else:
        raise TypeError(f"{parameter}={size!r} is not a size: a number of bytes, or text such as '256MB'")
    if not (math.isfinite(bytes_) and 1 <= bytes_ < 2**63):
        raise ValueError(f"{parameter}={size!r} is not a size: it must be above 0")
    return int(bytes_)
