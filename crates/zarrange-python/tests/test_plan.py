"""Plans alone: without a target, and nothing is written."""

import json
import os
import socket

import dask.array
import numpy as np
import pytest
import zarr
from conftest import array, numbered

import zarrange


def group():
    made = zarr.create_group("source.zarr")
    for name in ("a", "b", "left"):
        made.create_array(name, shape=(80, 60), chunks=(2, 60), dtype="f4")[...] = numbered((80, 60))
    return made


SOURCES = {
    "path": lambda: array() and "source.zarr",
    "array": array,
    "memory": lambda: array(zarr.storage.MemoryStore()),
    "dask": lambda: dask.array.from_array(numbered((80, 60)), chunks=(2, 60)),
    "group": group,
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_plan_is_that_of_rechunking(source, recwarn, tmp_path):
    made = SOURCES[source]()
    chunks = {"a": (80, 2), "b": None} if source == "group" else (80, 2)
    before = sorted(os.walk(tmp_path))
    plan = zarrange.plan(made, chunks, "60kB", threads=1)
    assert sorted(os.walk(tmp_path)) == before
    assert not [warning for warning in recwarn if warning.category is UserWarning]
    assert plan.left_out == (["left"] if source == "group" else [])
    rechunked = zarrange.rechunk(made, chunks, "60kB", "target.zarr", threads=1)
    told = {name: value for name, value in plan.items() if name not in ("elapsed_s", "arrays")}
    assert told == {name: rechunked.plan[name] for name in told}
    assert (plan.strategy, plan.memory) == (rechunked.plan["strategy"], rechunked.plan["peak_budget_bytes"])
    assert plan.memory <= 60_000
    rechunked.execute()
    assert plan["source_chunk_decodes"] == rechunked.report["source_chunk_decodes"]


def test_a_plan_is_shown():
    plan = zarrange.plan(array(shape=(1000, 1000), chunks=(1, 1000)), (1000, 1), 40_000)
    assert repr(plan).splitlines()[0] == "<Plan>"
    assert plan.intermediate > 0
    for shown in (repr(plan), plan._repr_html_()):
        assert "Intermediate" in shown
        assert "Target" not in shown
        assert "source.zarr" in shown
    assert "taken" in plan.explanation
    assert plan.seconds > 0
    assert (plan.read, plan.written) == (4_000_000, 4_000_000)


def kept(folder, **costs) -> None:
    """Keeps a profile, as `zarrange probe` does, for the file system of this folder."""
    mount = os.getcwd()
    while not os.path.ismount(mount):
        mount = os.path.dirname(mount)
    nvme = dict(read_ns_per_byte=0.35, write_ns_per_byte=0.8, read_request_ns=8e4, write_request_ns=3e4)
    profile = {"name": "probed", **nvme, "open_ns": 15e3, "create_ns": 4e4, "in_flight": 32.0} | costs
    (folder / "zarrange").mkdir(parents=True)
    places = {f"{socket.gethostname()}:{mount}": {"profile": profile, "codecs": 1.0}}
    (folder / "zarrange/places.json").write_text(json.dumps(places))


def test_plans_are_of_places_as_they_were_probed(tmp_path, monkeypatch):
    array()
    kept(tmp_path / "config", write_request_ns=5e9)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def planned(**options):
        return zarrange.rechunk("source.zarr", (80, 2), "1MB", "target.zarr", threads=1, **options)

    assert "probed" in planned().explanation
    # Each of 30 chunks waits for five seconds.
    assert planned().predicted["elapsed_s"] > 1
    # Workers plan for themselves, and alike.
    assert "probed" not in planned(executor="dask").explanation
    assert planned(executor="dask").predicted["elapsed_s"] < 1
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    assert "probed" not in planned().explanation


def test_a_plan_for_a_store_of_whole_objects():
    plan = zarrange.plan(array(), (80, 2), "1MB", {}, {"shards": (80, 60)})
    assert plan["target_chunks"] == 30
    np.testing.assert_equal(plan.notes, zarrange.rechunk("source.zarr", (80, 2), "1MB", {}).notes)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: zarrange.plan(array(), (80,)), ValueError),
        (lambda: zarrange.plan(array(), (80, 2), 100), MemoryError),
        (lambda: zarrange.plan(array(), (80, 2), "1MB", "source.zarr"), ValueError),
        (lambda: zarrange.plan("nothing.zarr", None), FileNotFoundError),
    ],
)
def test_plans_that_are_refused(call, error):
    with pytest.raises(error):
        call()
