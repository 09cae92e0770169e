"""The workflow that the project was begun for: filled by epoch, rechunked to one object a chunk, and read by object.

Create an epoch-optimized store, populate it epoch after epoch, make the object-optimized copy, and compare objects 0, 250
and 499 of both with `np.allclose(..., equal_nan=True)`, here for every value and bit by bit.
"""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from compare import open_xarray


@pytest.mark.parametrize(
    ("shape", "epochs_a_file"), [((500, 20, 2), 1), ((10_000, 500, 1), 50)], ids=["500x20x2", "10000x500"]
)
def test_filled_by_epoch_and_read_by_object(run, tmp_path, shape, epochs_a_file):
    objects, epochs, measurements = shape
    rng = np.random.default_rng(500)
    flux = rng.normal(1000, 100, shape).astype("f4")
    flux[rng.random(shape) < 0.1] = np.nan
    flux_err = (np.abs(flux) / 100).astype("f4")
    by_epoch, by_object = tmp_path / "by-epoch.zarr", tmp_path / "by-object.zarr"
    sizes = [f"--objects={objects}", f"--epochs={epochs}", f"--measurements={measurements}"]
    run("lightcurve", "create", by_epoch, *sizes)
    o, m = (axis.ravel() for axis in np.indices((objects, measurements)))
    files = []
    for begin in range(0, epochs, epochs_a_file):
        part = range(begin, begin + epochs_a_file)
        columns = {
            "object": np.tile(o, len(part)),
            "epoch": np.repeat(part, o.size),
            "measurement": np.tile(m, len(part)),
            "flux": np.concatenate([flux[:, epoch].ravel() for epoch in part]),
            "flux_err": np.concatenate([flux_err[:, epoch].ravel() for epoch in part]),
        }
        files.append(tmp_path / f"epochs-{begin}.parquet")
        pq.write_table(pa.table(columns), files[-1])
    done = run("lightcurve", "fill", by_epoch, *files, "--max-mem", "256MB", "--json").json
    assert (done["rows"], done["rejected_rows"], done["epochs"]) == (flux.size, 0, epochs)
    assert done["peak_resident_bytes"] < 256e6 + (64 << 20)
    one_object = ["--chunks", f"object=1,epoch={epochs},measurement=-1", "--shards", "object=1000,epoch=-1"]
    run("rechunk", by_epoch, by_object, *one_object, "--verify", "full")
    for store in [by_epoch, by_object]:
        dataset = open_xarray(store)
        assert dict(dataset.sizes) == {"object": objects, "epoch": epochs, "measurement": measurements}
        for name, values in {"flux": flux, "flux_err": flux_err}.items():
            np.testing.assert_array_equal(dataset[name].values, values)
    chosen = [0, 250, 499]
    text = run("lightcurve", "get", by_object, "--number", *chosen, "--gaps", "--format", "csv").stdout
    found = pd.read_csv(io.StringIO(text), float_precision="round_trip")
    found = found.set_index(["object", "epoch", "measurement"]).to_xarray()
    assert isinstance(found, xr.Dataset) and found["object"].values.tolist() == chosen
    for name, values in {"flux": flux, "flux_err": flux_err}.items():
        assert np.array_equal(found[name].values.astype("f4"), values[chosen], equal_nan=True)
