"""Advice on the layout of a store, and the command that it prints."""

import shlex

import numpy as np
import pytest
import zarr
from catalogues import csv

OBJECTS, EPOCHS, MEASUREMENTS = 3000, 60, 4


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(7)
    means = rng.uniform(100, 1000, (OBJECTS, 1, MEASUREMENTS))
    return np.round(means + rng.normal(0, 1, (OBJECTS, EPOCHS, MEASUREMENTS)), 2).astype("f4")


def filled(run, folder, values, *options):
    """A store with labels of objects, whose flux is filled."""
    objects, store = folder / "objects.csv", folder / "my curves.zarr"
    csv(objects, {"object": np.array([f"I{k}" for k in range(OBJECTS)]), "ra": np.arange(OBJECTS) / 10}, {})
    sizes = ["--objects", objects, "--epochs", EPOCHS, "--measurements", MEASUREMENTS]
    run("lightcurve", "create", store, *sizes, *options)
    zarr.open_array(store / "flux", mode="r+")[...] = values
    return store


def chunks(store, name):
    array = zarr.open_array(store / name, mode="r")
    return list(array.chunks), array.shards and list(array.shards)


def test_the_command_that_is_printed_runs(run, tmp_path, values, monkeypatch):
    store = filled(run, tmp_path, values)
    monkeypatch.chdir(tmp_path)
    # Compression is measured on epochs that are recorded as filled, where there are some.
    table = {"object": np.array([f"I{k}" for k in range(OBJECTS)]), "measurement": np.full(OBJECTS, 1)}
    for epoch in range(20, 40):
        csv(tmp_path / f"{epoch}.csv", table | {"flux": values[:, epoch, 1]}, {})
        run("lightcurve", "fill", store, tmp_path / f"{epoch}.csv", "--at", f"epoch={epoch}")
    found = run("lightcurve", "advise", store, "--json").json
    [advice] = found["arrays"]
    assert (
        advice["arrays"] == ["flux", "flux_err"]
        and advice["sampled_bytes"] == OBJECTS * 20 * MEASUREMENTS * 4
    )
    assert advice["mix"] == "object+measurement=0.8,object~50+measurement=0.1,epoch=0.1"
    today, proposed = advice["today"], advice["proposed"]
    assert today["chunk"] == [OBJECTS, 1, MEASUREMENTS] and today["speed"]["ratio"] > 1.1
    assert proposed["weighted_ms"] * 1.05 < today["weighted_ms"]
    assert [read["name"] for read in proposed["accesses"]] == [
        part.split("=")[0] for part in advice["mix"].split(",")
    ]
    one = today["accesses"][0]
    assert (one["requests"], one["amplification"]) == (EPOCHS, OBJECTS * MEASUREMENTS)
    said = run("lightcurve", "advise", store).stdout
    assert said.splitlines()[-1] == found["command"], said
    assert "today" in said and "advised" in said and "object~50+measurement (10 %)" in said
    command = shlex.split(found["command"])
    assert command[:4] == ["zarrange", "rechunk", str(store), "NEW"]
    run(*command[1:])
    for name in ["flux", "flux_err"]:
        assert chunks(tmp_path / "NEW", name) == (proposed["chunk"], proposed["shard"])
    np.testing.assert_array_equal(zarr.open_array("NEW/flux", mode="r")[...], values)
    for name in ["object", "ra"]:
        assert chunks(tmp_path / "NEW", name) == chunks(store, name)
    run("verify", store, "NEW")
    again = run("lightcurve", "advise", "NEW", "--json").json
    assert again["command"] is None and again["arrays"][0]["proposed"] is None, again
    assert "nothing is to be done" in run("lightcurve", "advise", "NEW").stdout


def test_advice_is_for_the_reads_that_are_asked_for(run, tmp_path, values):
    store = filled(run, tmp_path, values, "--layout", "object-optimized")
    run("lightcurve", "advise", store, "--for", "epoch=1")
    by_epoch = run("lightcurve", "advise", store, "--for", "epoch=1", "--json").json["arrays"][0]["proposed"]
    assert by_epoch["accesses"][0]["requests"] < 10 and by_epoch["chunk"][1] < 10
    by_object = run("lightcurve", "advise", store, "--for", "object+measurement=1", "--json").json["arrays"][
        0
    ]
    best = by_object["proposed"] or by_object["today"]
    assert best["accesses"][0]["amplification"] < 3000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--for", "band=1"], 'layout band=1: "band" is none of the dimensions object, epoch, measurement'),
        (["--for", "object~9999=1"], "from 1 to 3000 are possible"),
        (["--for", "epoch"], "is not DIMENSION=WEIGHT"),
        (["--reader", "dask"], "zarrs-python or zarrange"),
        (["--profile", "tape"], "nvme"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_is_asked_wrongly(run, tmp_path, values, options, told):
    store = filled(run, tmp_path, values)
    failed = run("lightcurve", "advise", store, *options, check=False)
    assert failed.returncode == 2 and told in failed.stderr


def test_a_bound_that_is_too_small_names_one_that_does(run, tmp_path, values):
    store = filled(run, tmp_path, values)
    failed = run("lightcurve", "advise", store, "--max-mem", "1kB", check=False)
    assert failed.returncode == 1 and "(--max-mem " in failed.stderr
    enough = failed.stderr.split("(--max-mem ")[1].split(")")[0]
    run("lightcurve", "advise", store, "--max-mem", enough)
