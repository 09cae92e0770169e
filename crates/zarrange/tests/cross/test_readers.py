"""What `zarrange-bench sweep` says other readers fetch: they are run, and what their stores were asked for is what the model of them predicts."""

import json
import subprocess
import sys
from pathlib import Path

import machine
import pytest

# In memory nothing is cold.
pytestmark = pytest.mark.disk

READERS = ["zarr-python", "tensorstore", "zarrange"]
LAYOUTS = """
[[layout]]
name = "chunks"
chunk = { object = 50, epoch = 5 }
[[layout]]
name = "whole shards"
chunk = { object = 10, epoch = 20 }
shard = { object = 100, epoch = 20 }
[[layout]]
name = "plain"
chunk = { object = 50, epoch = 5 }
codecs = "none"
"""
# The way of these to the bytes is that of others.
ALL_READERS = [*READERS, "xarray", "zarrs-python"]
LAYOUTS_OF_ALL = """
[[layout]]
name = "shards"
chunk = { object = 10, epoch = 5 }
shard = { object = 100, epoch = 20 }
[[layout]]
name = "plain shards"
chunk = { object = 10, epoch = 20 }
shard = { object = 200, epoch = 20 }
codecs = "none"
"""


def sweep(binary, folder, *options, layouts="layouts.toml", check=True):
    """Runs a sweep in a folder that has a list of layouts; its records, and how it ended."""
    out = folder / "raw.jsonl"
    # TensorStore takes no relative paths; people give them.
    command = [Path(binary).with_name("zarrange-bench"), "sweep", "--layouts", layouts, "--dir", "."]
    asked = [*command, "--out", out, "--backends", "std", *options]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=folder)
    assert (done.returncode == 0) == check, done.stderr
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else [], done.stderr


def read(binary, folder, readers, layouts, cache, *workloads) -> list[dict]:
    """The records of a sweep over a list of layouts."""
    (folder / "raw.jsonl").unlink(missing_ok=True)
    options = ["--readers", ",".join(readers), "--python", sys.executable, "--operations", "16"]
    asked = ["--sizes", "200x20", "--cache", cache, "--workloads", *workloads]
    return sweep(binary, folder, *options, *asked, layouts=layouts)[0]


@pytest.fixture(scope="module")
def folder():
    with machine.on_disk() as folder:
        (folder / "layouts.toml").write_text(LAYOUTS)
        (folder / "of-all.toml").write_text(LAYOUTS_OF_ALL)
        yield folder


@pytest.fixture(scope="module")
def records(binary, folder):
    """Each with the list of layouts that it is of."""
    found = []
    for readers, layouts in [(READERS, "layouts.toml"), (ALL_READERS, "of-all.toml")]:
        for cache, workloads in [
            ("warm", ["epoch", "object", "object:7", "object~150"]),
            ("cold", ["window:3"]),
        ]:
            found += [
                (layouts, record) for record in read(binary, folder, readers, layouts, cache, *workloads)
            ]
    return found


def differs(record) -> str | None:
    """What a reader fetched otherwise than its model says."""
    measured = record["outcome"].get("measured")
    assert measured, record
    # There the kernel counts, and what else the process reads.
    others = record["cell"].get("reader") == "zarrs-python"
    # Which of the starts 16 operations have is chance, as are the sizes of chunks.
    for what, spare in [("requests", 6), ("backend_bytes", 2000)]:
        predicted = measured[f"predicted_{what}"]
        if measured[what] != pytest.approx(predicted, rel=0.1, abs=spare if others else 0):
            return f"{what}: {measured[what]}, {predicted} by the model"
    return None


def of(record) -> tuple:
    cell = record["cell"]
    return cell.get("reader", "zarrange"), cell["layout"]["name"], cell["workload"], cell["cache"]


def check_told_apart(records):
    """What was measured by whom, and how often."""
    backends = {record["outcome"]["measured"]["backend"] for _, record in records}
    assert {name.split(" ")[0] for name in backends} == {*ALL_READERS, "std"} - {"zarrange"}
    versions = [name for name in backends if name.startswith("zarr-python ")]
    assert versions == ["zarr-python 3.1.6"]
    by_reader = {
        record["cell"].get("reader", "zarrange"): record["outcome"]["measured"]["latency"]["count"]
        for _, record in records
    }
    assert by_reader == dict.fromkeys(ALL_READERS, 16)


def test_every_reader_fetches_what_its_model_says(binary, folder, records):
    assert (
        len({of(record) for _, record in records})
        == len(records)
        == (len(READERS) * 3 + len(ALL_READERS) * 2) * 5
    )
    for layouts, record in records:
        found, (reader, _, workload, cache) = differs(record), of(record)
        # It leaves scattered indices to zarr-python, and the kernel counts the end of each file as well.
        if (reader, workload) == ("zarrs-python", "object~150"):
            continue
        # TensorStore asks for what its threads have found by then: on a busy machine now and then less than a shard at once.
        for _ in range(3 if reader == "tensorstore" else 0):
            if found:
                again = read(binary, folder, [reader], layouts, cache, workload)
                found = differs(next(other for other in again if of(other) == of(record)))
        assert not found, (of(record), found)
    # Here, for tests that run beside each other would each make the records.
    check_told_apart(records)


WRITTEN = """
[[layout]]
name = "epochs"
chunk = { object = 50, epoch = 1 }
[[layout]]
name = "epochs in shards"
chunk = { object = 50, epoch = 1 }
shard = { object = 200, epoch = 10 }
[[layout]]
name = "chunks"
chunk = { object = 50, epoch = 5 }
"""


def test_what_an_epoch_costs_that_is_written_is_what_the_model_says(binary, tmp_path):
    """The harness looks whether it is there."""
    (tmp_path / "layouts.toml").write_text(WRITTEN)
    readers = ["zarr-python", "xarray", "tensorstore", "zarrange"]
    records = read(binary, tmp_path, readers, "layouts.toml", "warm", "write:epoch")
    records += read(binary, tmp_path, readers[:3], "layouts.toml", "cold", "write:epoch")
    assert len(records) == 3 * 7
    for record in records:
        if record["cell"].get("reader") is None:
            assert "zarrange writes whole chunks" in record["outcome"]["unmeasured"]
            continue
        measured, layout = record["outcome"]["measured"], record["cell"]["layout"]["name"]
        # On a busy machine TensorStore now and then asks for less than a shard at once.
        within = 0.1 if record["cell"]["reader"] == "tensorstore" else 0
        assert measured["requests"] == pytest.approx(measured["predicted_requests"], rel=within), of(record)
        # Half a chunk of 2 kB takes more than half of the bytes.
        within = 0.35 if layout == "chunks" else 0.1
        assert measured["backend_bytes"] == pytest.approx(measured["predicted_backend_bytes"], rel=within), (
            of(record)
        )
    assert not list(tmp_path.glob("*.growing"))


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
