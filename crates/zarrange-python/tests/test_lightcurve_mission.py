"""Light curves as the documents of the mission make, fill and copy them."""

import inspect
import sys
import types

import dask.array as da
import numpy as np
import pytest
import zarr
from lightcurves import measured

import zarrange
from zarrange import LightcurveStorage

# The documents of the mission. These lines cannot work and are left out: imports of zarr.hierarchy, and da.from_zarr().to_zarr() before
# LightcurveStorage.open, for dask writes no names of dimensions; rechunk_to_object_optimized makes that store here.

CREATE = """
from pyzma_idf_lightcurve.storage.v2 import LightcurveStorage

# Create with epoch-optimized chunking
storage = LightcurveStorage.create(
    path='lightcurves_epoch_chunked.zarr',
    n_objects=10000,
    max_epochs=500,
    chunks={
        'object': 1000,  # Process multiple objects
        'epoch': 1,      # One epoch at a time
        'measurement': 2,
        'value': 2,
    }
)
"""
POPULATE = """
# No race conditions with sequential writes
for epoch_idx in range(n_epochs):
    epoch_data = extract_epoch_measurements(epoch_idx)
    storage.populate_epoch_v2(epoch_idx, epoch_data)
"""
DASK = """
import dask.array as da

# Load epoch-chunked storage
flux_array = da.from_zarr('lightcurves_epoch_chunked.zarr/flux')
flux_err_array = da.from_zarr('lightcurves_epoch_chunked.zarr/flux_err')

# Rechunk to object-optimized
target_chunks = (1, max_epochs, 2)
flux_rechunked = flux_array.rechunk(target_chunks)
flux_err_rechunked = flux_err_array.rechunk(target_chunks)
"""
ANALYZE = """
# Fast lightcurve access (1 chunk read per object)
storage = LightcurveStorage.open('lightcurves_object_chunked.zarr')
lc = storage.get_lightcurve(object_id=12345)
"""
RECHUNKER = """
from rechunker import rechunk

plan = rechunk(
    source_array,
    target_chunks=(1, 20, 2),
    max_mem='256MB',
    target_store='output.zarr',
    temp_store='temp.zarr'
)
result = plan.execute()  # Can use: with ProgressBar(): plan.execute()
"""
API = """
source = zarr.ones((4, 4), chunks=(2, 2), store="source.zarr")
intermediate = "intermediate.zarr"
target = "target.zarr"
rechunked = rechunk(source, target_chunks=(4, 1), target_store=target,
                    max_mem=256000,
                    temp_store=intermediate)
rechunked
rechunked.execute()
"""


@pytest.fixture
def _their_names(monkeypatch):
    """The modules of the documents, which are ours."""
    for name in (
        "rechunker",
        "pyzma_idf_lightcurve",
        "pyzma_idf_lightcurve.storage",
        "pyzma_idf_lightcurve.storage.v2",
    ):
        module = types.ModuleType(name)
        module.rechunk, module.LightcurveStorage = zarrange.rechunk, LightcurveStorage
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.usefixtures("_their_names")
def test_the_mission_runs():
    n_epochs, max_epochs = 5, 500
    values = measured(10000, n_epochs)
    names = {
        "n_epochs": n_epochs,
        "max_epochs": max_epochs,
        "extract_epoch_measurements": lambda epoch: values[epoch],
    }
    exec(CREATE + POPULATE + DASK, names)  # noqa: S102, the user's own
    flux = names["flux_array"]
    assert (flux.shape, flux.chunksize) == ((10000, 500, 2), (1000, 1, 2))
    np.testing.assert_array_equal(names["flux_err_rechunked"][7, :n_epochs].compute(), values[:, 7, :, 1])

    storage = names["storage"]
    copy = storage.rechunk_to_object_optimized("lightcurves_object_chunked.zarr", max_epochs, False)
    assert copy.get_storage_info()["layouts"]["flux"]["chunks"][1:] == [500, 2]
    # Of 10,000 objects that have numbers only, there is none of this number.
    with pytest.raises(KeyError, match="12345"):
        exec(ANALYZE, names)  # noqa: S102, the user's own


@pytest.mark.usefixtures("_their_names")
def test_their_objects_have_labels():
    epochs = LightcurveStorage.create("e.zarr", range(12000, 12500), 3)
    epochs.populate_epoch_v2(1, measured(500, 1, 1)[0])
    epochs.rechunk_to_object_optimized("lightcurves_object_chunked.zarr", n_epochs=3, progress=False)
    names = {"LightcurveStorage": LightcurveStorage}
    exec(ANALYZE, names)  # noqa: S102, the user's own
    assert names["lc"].object == 12345
    assert names["lc"].flux.values[1, 0] == measured(500, 1, 1)[0, 345, 0, 0]


def test_their_integrity_check():
    """500 objects, 20 epochs, 2 measurements, as their test has them."""
    source = LightcurveStorage.create(
        "source.zarr", 500, 20, chunks={"object": 500, "epoch": 1, "measurement": 2}
    )
    for epoch, values in enumerate(measured(500, 20)):
        source.populate_epoch_v2(epoch, values)
    rechunked = source.rechunk_to_object_optimized("target.zarr", 20, progress=False)
    signature = inspect.signature(LightcurveStorage.rechunk_to_object_optimized)
    assert list(signature.parameters)[1:4] == ["output_path", "n_epochs", "progress"]
    for number in (0, 250, 499):
        for name in ("flux", "flux_err"):
            source_data = source.get_lightcurve(object_id=number)[name]
            rechunked_data = rechunked.get_lightcurve(object_id=number)[name]
            assert np.allclose(source_data, rechunked_data, equal_nan=True)
            np.testing.assert_array_equal(
                source_data, measured(500, 20)[:, number, :, int(name == "flux_err")]
            )


@pytest.mark.usefixtures("_their_names")
def test_their_rechunker_runs():
    source_array = zarr.create_array("epoch.zarr", shape=(500, 20, 2), chunks=(500, 1, 2), dtype="f4")
    source_array[...] = measured(500, 20)[..., 0].swapaxes(0, 1)
    names = {"source_array": source_array, "zarr": zarr}
    exec(RECHUNKER + API, names)  # noqa: S102, the user's own
    np.testing.assert_array_equal(names["result"][...], source_array[...])
    assert names["result"].chunks == (1, 20, 2)
    assert zarr.open_array("target.zarr").chunks == (4, 1)
    # And what they do with dask.
    da.from_zarr("epoch.zarr").rechunk((1, 20, 2)).to_zarr("object_chunked.zarr", overwrite=True)
    assert zarrange.verify("output.zarr", "object_chunked.zarr")
