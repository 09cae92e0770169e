"""Plans that workers of several processes carry out; `killing.py` says how to kill a thousand of them."""

import json
import subprocess

import numpy as np
import pytest
import zarr
from killing import check, tree, write


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("workers") / "source.zarr"
    write(path)
    return path


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_killed_workers(binary, tmp_path, source, first):
    killed = 0
    for seed in range(first, first + 4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found, some = check(binary, folder, source, seed)
        assert not found, "\n".join(found)
        killed += some
    assert killed > 6


@pytest.fixture
def planned(run, tmp_path, source):
    """A plan for `tmp_path / "dst.zarr"`, whose arrays have several parts in two stages."""
    target, plan = tmp_path / "dst.zarr", tmp_path / "plan.json"
    options = ["--chunks", "deep/staged:1,60", "--max-mem", "30kB", "--part-size", "5kB", "--skip", "names"]
    run("plan", source, target, "--out", plan, "--verify", "full", *options)
    return plan, target


def test_workers_beside_each_other(run, binary, planned, source):
    plan, target = planned
    before = json.loads(run("worker", plan, "--status", "--json").stdout)
    assert [stage["done"] for stage in before["stages"]] == [0, 0, 0]
    assert not list(target.parent.glob(".*")), "to look begins nothing"
    for stage in range(3):
        workers = [
            subprocess.Popen(
                [binary, "worker", plan, "--stage", str(stage), "--part", f"{k}/3", "--json"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for k in range(3)
        ]
        told = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
        status = json.loads(run("worker", plan, "--status", "--json").stdout)
        assert not status["finished"]
        one = status["stages"][stage]
        assert sum(worker["parts"] for worker in told) == one["parts"] == one["done"] > 2
        assert not target.exists()
    done = run("finish", plan, "--json").json
    assert done["verified"] and done["counts"]["target_chunks"] > 240
    before, after = (zarr.open_group(path, mode="r") for path in [source, target])
    for name in ["chunks", "shards", "repack", "copy", "staged"]:
        got, wanted = after[f"deep/{name}"], before[f"deep/{name}"]
        np.testing.assert_array_equal(got[:], wanted[:])
        assert got.chunks == ((1, 60) if name == "staged" else wanted.chunks)
    assert "finished already" in run("finish", plan).stdout
    assert "is finished" in run("worker", plan, "--status").stdout
    assert "finished already" in run("worker", plan, "--stage", "0", "--part", "0/3").stdout
    assert sorted(p.name for p in target.parent.iterdir()) == ["dst.zarr", "plan.json"]


@pytest.mark.parametrize(
    ("args", "code", "expected"),
    [
        (["finish", "PLAN"], 1, "no worker has begun"),
        (["worker", "PLAN", "--stage", "7", "--part", "0/1"], 1, "there is no stage 7: the plan has 3"),
        (["worker", "PLAN", "--stage", "1", "--part", "0/1"], 1, "stage 1 needs all of stage 0"),
        (["worker", "PLAN", "--stage", "0", "--part", "4/4"], 2, "use 0/4 for the first of four"),
        (["worker", "PLAN", "--stage", "0", "--part", "half"], 2, '"half" is no share'),
        (["worker", "PLAN"], 2, "--stage <K>"),
        (["worker", "nowhere.json", "--status"], 1, "nowhere.json: there is no such file"),
        (["worker", "SOURCE", "--status"], 1, "directory"),
    ],
)
def test_what_is_wrong_is_named(run, planned, source, args, code, expected):
    plan, target = planned
    places = {"PLAN": plan, "SOURCE": source}
    done = run(*(places.get(arg, arg) for arg in args), check=False)
    assert (done.returncode, expected in done.stderr) == (code, True), done.stderr
    assert not target.exists()


def test_a_run_that_is_given_up_leaves_nothing(run, planned, source):
    plan, target = planned
    run("worker", plan, "--stage", "0", "--part", "0/2")
    refused = run("rechunk", source, target, check=False)
    assert refused.returncode == 1 and "is being made by workers" in refused.stderr
    early = run("finish", plan, check=False)
    assert early.returncode == 1 and "let workers do the others first" in early.stderr
    assert "is removed" in run("finish", plan, "--give-up").stdout
    assert "no worker has written anything" in run("finish", plan, "--give-up").stdout
    assert [p.name for p in target.parent.iterdir()] == ["plan.json"]
    run("rechunk", source, target)


def test_a_source_that_changed_is_refused(run, planned, source, tmp_path):
    plan, target = planned
    text = (source / "deep" / "zarr.json").read_text()
    run("worker", plan, "--stage", "0", "--part", "0/2")
    try:
        (source / "deep" / "zarr.json").write_text(text.replace('"attributes": {}', '"attributes": {"x": 1}'))
        refused = run("worker", plan, "--stage", "0", "--part", "1/2", check=False)
    finally:
        (source / "deep" / "zarr.json").write_text(text)
    assert refused.returncode == 1 and '"deep" of the source got other metadata' in refused.stderr
    run("worker", plan, "--stage", "0", "--part", "1/2")
    assert tree(target) == {}
