"""`rechunk --resume`: what is done is kept, whatever ends the run. `killing.py` kills such runs at random."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from killing import tree
from machine import listen

VALUES = np.random.default_rng(5).normal(size=(4000, 2400)).astype("f4")
ASKED = [
    "--chunks",
    "4000,1",
    "--max-mem",
    "4MB",
    "--threads",
    "1",
    "--durability",
    "commit",
    "--part-size",
    "200kB",
]
# Of a run that cannot be resumed.
WHOLE = ASKED[:-2]


#: How often it is tried to end a run in the middle.
TRIES = 20

#: Before a command that is to be ended in the middle: it waits for whoever looks at it, also on a busy machine.
LAST = ["nice", "-n", "19"]


def wait_for(process, target, pattern, holds=None):
    """Until something like `pattern`, a file that `holds` this, is in the folder of a run, or the run has ended."""
    deadline = time.monotonic() + 60
    while process.poll() is None:
        # What is found may be published before it is read.
        with contextlib.suppress(OSError):
            found = target.parent.glob(f".*/{pattern}")
            if any(holds is None or holds in path.read_bytes() for path in found):
                break
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("resume") / "src.zarr"
    zarr.create_array(path, shape=VALUES.shape, chunks=(1, 2400), dtype="f4")[:] = VALUES
    return path


@pytest.fixture
def killed(binary, source, tmp_path):
    """A run that was killed in the middle: source, target and the folder that is left."""
    source = Path(shutil.copytree(source, tmp_path / "src.zarr"))
    for k in range(TRIES):
        target = tmp_path / str(k) / "dst.zarr"
        command = [*LAST, binary, "rechunk", source, target, "--resume", *ASKED]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(process, target, "receipts/*", holds=b'"start":0,"end":1')
        process.kill()
        process.wait(60)
        left = list(target.parent.glob(".dst.zarr.partial-*"))
        if left and not target.exists():
            return source, target, left[0]
        # On a busy machine it may have ended by then.
    raise AssertionError("it always ended before it was killed")


def test_what_was_killed_goes_on(run, killed, tmp_path, source):
    unharmed = source
    source, target, folder = killed
    (journal,) = folder.glob("receipts/*.receipts")
    lines = journal.read_text().splitlines()
    assert all(re.fullmatch(r"[0-9a-f]{32} \{.*\}", line) for line in lines)
    receipts = [json.loads(line[33:]) for line in lines]
    assert {"start": 0, "end": 1} in [receipt["parts"] for receipt in receipts if receipt["stage"] == 0]
    assert sum(receipt["counts"]["source_chunk_decodes"] for receipt in receipts) <= 4000
    # Of what is done nothing is read again: a damaged chunk would be noticed.
    (source / "c" / "0" / "0").write_bytes(b"damaged")
    report = run("rechunk", source, target, "--resume", "--json", *ASKED).json
    assert report["strategy"] == "staged" and report["source_chunk_decodes"] == 4000
    assert [p.name for p in target.parent.iterdir()] == ["dst.zarr"]
    np.testing.assert_array_equal(zarr.open(target)[:], VALUES)
    whole = tmp_path / "whole.zarr"
    run("rechunk", unharmed, whole, *WHOLE)
    assert tree(target) == tree(whole)


def test_one_that_was_not_begun_is_begun(run, source, tmp_path):
    target = tmp_path / "dst.zarr"
    done = run("rechunk", source, target, "--resume", *ASKED)
    assert re.search(r"dst.zarr: staged, .* written in 2,400 chunks", done.stdout)
    np.testing.assert_array_equal(zarr.open(target)[:], VALUES)
    again = run("rechunk", source, target, "--resume", *ASKED, check=False)
    assert again.returncode == 1 and "exists" in again.stderr
    replaced = run("rechunk", source, target, "--resume", "--overwrite", "--json", *ASKED).json
    assert replaced["source_chunk_decodes"] == 4000, "another run, which knows nothing of the first"


def test_memory_and_threads_of_a_run_without_any_are_kept(binary, run, source, tmp_path):
    """What is free is not the same each time."""
    target, asked = tmp_path / "dst" / "dst.zarr", ["--resume", "--chunks", "4000,1", "--part-size", "200kB"]
    process = subprocess.Popen(
        [
            binary,
            "rechunk",
            source,
            target,
            *asked,
            "--durability",
            "none",
            "--max-mem",
            "5MB",
            "--threads",
            "1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(target.parent.glob(".*/plan.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait(60)
    run("rechunk", source, target, *asked)
    np.testing.assert_array_equal(zarr.open(target)[:], VALUES)
    assert [p.name for p in target.parent.iterdir()] == ["dst.zarr"]


def changed_attributes(source):
    text = json.loads((source / "zarr.json").read_text())
    (source / "zarr.json").write_text(json.dumps(text | {"attributes": {"x": 1}}))


@pytest.mark.parametrize(
    ("change", "args"),
    [
        (changed_attributes, ASKED),
        (None, [*WHOLE, "--part-size", "300kB"]),
        (None, [*ASKED[:2], "--max-mem", "3900kB", *ASKED[4:]]),
        (None, [*ASKED, "--codecs", "none"]),
    ],
)
def test_another_source_or_another_plan_is_refused(run, killed, change, args):
    source, target, folder = killed
    if change:
        change(source)
    for args_of_one in [[*args, "--resume"], WHOLE]:
        refused = run("rechunk", source, target, *args_of_one, check=False)
        assert refused.returncode == 1
        assert "by a run that can be resumed" in refused.stderr and f"{folder}/plan.json" in refused.stderr
    assert not target.exists() and folder.exists()
    # What the message says.
    run("finish", folder / "plan.json", "--give-up")
    assert not list(target.parent.iterdir())
    run("rechunk", source, target, *args, "--resume")


def test_a_signal_keeps_what_is_done(binary, source, tmp_path):
    for k in range(TRIES):
        target = tmp_path / str(k) / "dst.zarr"
        # Slow to encode: from the first chunk to the last it takes seconds, in which the signal comes.
        command = [*LAST, binary, "rechunk", source, target, "--resume", *ASKED, "--codecs", "gzip:9"]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, preexec_fn=listen, **pipes)
        # Receipts of what is done by then are written when it ends.
        wait_for(process, target, "target/c/*")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        if process.returncode != 0 and list(target.parent.glob(".dst.zarr.partial-*/receipts/*")):
            break
        # On a busy machine it may have ended by then, or have nothing done.
    assert process.returncode == 130
    assert "what was done is kept, and the same command does the rest" in said
    assert list(target.parent.glob(".dst.zarr.partial-*/receipts/*"))
    subprocess.run(command, check=True, capture_output=True)
    np.testing.assert_array_equal(zarr.open(target)[:], VALUES)
    assert [p.name for p in target.parent.iterdir()] == ["dst.zarr"]


def test_two_at_once_end_right(binary, source, tmp_path):
    target = tmp_path / "dst" / "dst.zarr"
    command = [binary, "rechunk", source, target, "--resume", *ASKED]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ended = [process.communicate(timeout=120) + (process.returncode,) for process in both]
    assert 0 in [code for *_, code in ended], ended
    np.testing.assert_array_equal(zarr.open(target)[:], VALUES)
    assert [p.name for p in target.parent.iterdir()] == ["dst.zarr"]


@pytest.mark.parametrize("more", [["--dry-run"], ["--region", "0=0:10"]])
def test_what_cannot_be_resumed_is_refused(run, source, tmp_path, more):
    refused = run("rechunk", source, tmp_path / "dst.zarr", "--resume", *ASKED, *more, check=False)
    assert refused.returncode == 2 and "--resume" in refused.stderr
