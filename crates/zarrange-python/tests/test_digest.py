"""Digests: the same for every source that holds the same."""

from pathlib import Path

import dask.array
import numpy as np
import pytest
import zarr
from conftest import Slices, array, numbered

import zarrange


def test_sources_that_hold_the_same():
    made = array(fill_value=0)
    told = zarrange.digest("source.zarr")
    assert len(told) == 32
    memory = array(zarr.storage.MemoryStore(), chunks=(80, 7), fill_value=0)
    v2 = array("v2.zarr", chunks=(9, 9), zarr_format=2, fill_value=0)
    values = numbered((80, 60))
    for source in (
        made,
        Path("source.zarr"),
        memory,
        v2,
        dask.array.from_array(values, chunks=(30, 20)),
        Slices(values, chunks=(7, 60)),
        zarrange.rechunk(made, (80, 1), "1MB", "target.zarr", {"shards": (80, 60)}).execute(),
    ):
        assert zarrange.digest(source, max_mem="1MB", threads=2) == told, source
    made[3, 5] += 1
    assert zarrange.digest(made) != told


def test_groups_and_what_is_broken():
    group = zarr.create_group("group.zarr")
    for name in ("a", "b/c"):
        group.create_array(name, shape=(8, 6), chunks=(4, 6), dtype="i8")[...] = np.arange(48).reshape(8, 6)
    digests = zarrange.digest(group)
    assert list(digests) == ["a", "b/c"] and len(set(digests.values())) == 1
    Path("group.zarr/b/c/c/1/0").write_bytes(b"broken")
    with pytest.raises(zarrange.CorruptChunkError, match="c/1/0") as raised:
        zarrange.digest("group.zarr")
    assert raised.value.__notes__ == [f"'a': {digests['a']}"]
    with pytest.raises(FileNotFoundError, match=r"no\.zarr"):
        zarrange.digest("no.zarr")
    with pytest.raises(ValueError, match="max_mem='much'"):
        zarrange.digest("group.zarr", max_mem="much")
