"""What there is at a place."""

from __future__ import annotations

import json
from typing import Any

from zarrange import _native, _process, _sources, _stopping


def info(location: Any, *, storage_options: dict[str, Any] | None = None) -> dict[str, Any]:
    """What is stored at a place, as ``zarrange info --json`` prints it.

    Parameters
    ----------
    location : zarr.Array, zarr.Group, str or path
        Where to look.
    storage_options : dict, optional
        For URLs: passed to fsspec.

    Returns
    -------
    dict
        ``nodes`` are groups and arrays, these with shape, type, chunks, shards, codecs, stored bytes and missing chunks; ``unreadable`` are members that
        cannot be opened, with the reason.
    """
    _process.check_fork()
    _process.check_loop()
    place, stop = _sources.source(location, storage_options).placed(), _native.Stop()
    with _stopping.stopped_by(stop, place):
        return json.loads(_native.describe(place, stop))
