"""What `zarrange-bench sweep` says other readers fetch: they are run, and what their stores were asked for is what the model of them predicts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

READERS = ["zarr-python", "xarray", "tensorstore", "zarrs-python", "zarrange"]
LAYOUTS = """
[[layout]]
name = "chunks"
chunk = { object = 50, epoch = 5 }
[[layout]]
name = "shards"
chunk = { object = 10, epoch = 5 }
shard = { object = 100, epoch = 20 }
[[layout]]
name = "whole shards"
chunk = { object = 10, epoch = 20 }
shard = { object = 100, epoch = 20 }
[[layout]]
name = "plain"
chunk = { object = 50, epoch = 5 }
codecs = "none"
[[layout]]
name = "plain shards"
chunk = { object = 10, epoch = 20 }
shard = { object = 200, epoch = 20 }
codecs = "none"
"""


def sweep(binary, folder, *options, check=True):
    """Runs a sweep in a folder that has a list of layouts; its records, and how it ended."""
    out = folder / "raw.jsonl"
    command = [
        Path(binary).with_name("zarrange-bench"),
        "sweep",
        "--layouts",
        folder / "layouts.toml",
        "--dir",
        folder,
        "--out",
        out,
        "--backends",
        "std",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert (done.returncode == 0) == check, done.stderr
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else [], done.stderr


@pytest.fixture(scope="module")
def records(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("readers")
    (folder / "layouts.toml").write_text(LAYOUTS)
    options = [
        "--readers",
        ",".join(READERS),
        "--python",
        sys.executable,
        "--operations",
        "16",
        "--sizes",
        "200x20",
    ]
    warm, _ = sweep(binary, folder, *options, "--cache", "warm", "--workloads", "epoch", "object", "object:7")
    return (
        warm + sweep(binary, folder, *options, "--cache", "cold", "--workloads", "window:3")[0][len(warm) :]
    )


def test_every_reader_fetches_what_its_model_says(records):
    assert len(records) == len(READERS) * 5 * 4
    for record in records:
        cell, measured = record["cell"], record["outcome"].get("measured")
        assert measured, record
        name = (cell.get("reader", "zarrange"), cell["layout"]["name"], cell["workload"], cell["cache"])
        # Which of the starts 16 operations have is chance, as are the sizes of chunks.
        for what, predicted in [
            ("requests", "predicted_requests"),
            ("backend_bytes", "predicted_backend_bytes"),
        ]:
            # There the kernel counts, and what else the process reads.
            spare = 2000 if what == "backend_bytes" else 6
            assert measured[what] == pytest.approx(
                measured[predicted], rel=0.1, abs=spare if name[0] == "zarrs-python" else 0
            ), (name, what)


def test_what_is_measured_is_told_apart(records):
    backends = {record["outcome"]["measured"]["backend"] for record in records}
    assert {name.split(" ")[0] for name in backends} == {*READERS, "std"} - {"zarrange"}
    versions = [name for name in backends if name.startswith("zarr-python ")]
    assert versions == ["zarr-python 3.1.6"]
    by_reader = {
        record["cell"].get("reader", "zarrange"): record["outcome"]["measured"]["latency"]["count"]
        for record in records
    }
    assert by_reader == dict.fromkeys(READERS, 16)


def test_a_reader_that_is_not_there_says_so(binary, tmp_path):
    (tmp_path / "layouts.toml").write_text('[[layout]]\nname = "one"\nchunk = { epoch = 1 }\n')
    options = ["--sizes", "20x5", "--cache", "warm", "--workloads", "epoch"]
    _, told = sweep(binary, tmp_path, *options, "--readers", "dask", check=False)
    assert "no reader: use zarr-python" in told
    records, _ = sweep(
        binary, tmp_path, *options, "--readers", "zarrange,zarr-python", "--python", "/nowhere/python"
    )
    ours, theirs = sorted(records, key=lambda record: "reader" in record["cell"])
    assert "measured" in ours["outcome"]
    assert "/nowhere/python" in theirs["outcome"]["unmeasured"]
