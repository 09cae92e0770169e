"""Sources and targets that the tests share."""

import uuid

import numpy as np
import pytest
import zarr


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Whatever profiles are kept on this machine.
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null")


@pytest.fixture(params=["path", "URL", "dict", "mapping", "memory", "fsspec", "group"])
def target_store(request):
    """Every kind of store that a target goes to."""
    if request.param == "path":
        return "target.zarr"
    if request.param == "URL":
        return f"memory://{uuid.uuid4()}/target.zarr"
    if request.param == "dict":
        return {}
    if request.param == "mapping":
        from collections import UserDict

        return UserDict()
    if request.param == "memory":
        return zarr.storage.MemoryStore()
    if request.param == "fsspec":
        return zarr.storage.FsspecStore.from_url(f"memory://{uuid.uuid4()}/fsspec.zarr")
    return zarr.create_group("group.zarr")


def numbered(shape, dtype="f4"):
    """Elements that are all different, so that one in a wrong place is seen."""
    return np.arange(np.prod(shape), dtype="i8").reshape(shape).astype(dtype)


def array(store="source.zarr", shape=(80, 60), chunks=(2, 60), dtype="f4", **options):
    made = zarr.create_array(store, shape=shape, chunks=chunks, dtype=dtype, **options)
    made[...] = numbered(shape, dtype)
    return made


class Slices:
    """The least that is an array."""

    def __init__(self, values, chunks=None, answer=None):
        self.values, self.answer = values, answer or (lambda block: block)
        self.shape, self.dtype = values.shape, values.dtype
        if chunks:
            self.chunks = chunks
        self.asked = []

    def __getitem__(self, slices):
        self.asked.append(slices)
        return self.answer(self.values[slices])
