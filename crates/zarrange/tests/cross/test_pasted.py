"""Commands and options that are printed can be pasted into bash, whatever the names in them are; and a demo replaces nothing."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zarr

NAMES = [
    "plain",
    "with space",
    "it's",
    '"$HOME"',
    "`id`",
    "a\nb",
    "\x1b[2J",
    "-rf",
    "\u202ereversed",
    "größe",
    "~",
    "*",
    "$'x'",
]


def paste(binary, text: str, cwd: Path) -> subprocess.CompletedProcess:
    """What bash makes of `text`, in which `zarrange` is the command."""
    links = cwd.parent / "bin"
    links.mkdir(exist_ok=True)
    if not (links / "zarrange").is_symlink():
        (links / "zarrange").symlink_to(binary)
    path = f"{links}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", text],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def demo(binary, cwd, *options):
    command = [binary, "demo", "--objects", "20", "--epochs", "5", *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_the_demo(binary, tmp_path, name):
    cwd = tmp_path / "here"
    cwd.mkdir()
    done = demo(binary, cwd, f"--dir={name}")
    assert done.returncode == 0, done.stderr
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", done.stdout)
    command = done.stdout[done.stdout.index("zarrange info ") :]
    assert command.count("\n") == 1
    shown = paste(binary, command, cwd)
    assert shown.returncode == 0 and "20" in shown.stdout, (command, shown.stderr)
    assert sorted(p.name for p in cwd.iterdir()) == [name], "and nothing else happened"


@pytest.mark.parametrize("names", [NAMES[:1], NAMES[1:7], NAMES, ["-rf"], ["a\nb"]])
def test_members_to_be_skipped(binary, run, tmp_path, names):
    cwd = tmp_path / "here"
    cwd.mkdir()
    group = zarr.create_group(cwd / "a.zarr")
    group.create_array("good", data=np.arange(4), chunks=(2,))
    for name in names:
        (cwd / "a.zarr" / name).mkdir()
        (cwd / "a.zarr" / name / "zarr.json").write_text("damaged")
    refused = run("rechunk", cwd / "a.zarr", cwd / "b.zarr", check=False)
    assert refused.returncode == 1
    options = refused.stderr.strip().partition(": --skip")[1:]
    assert options[1], refused.stderr
    done = paste(binary, "zarrange rechunk a.zarr b.zarr " + "".join(options)[2:], cwd)
    assert done.returncode == 0, (options, done.stderr)
    assert sorted(p.name for p in (cwd / "b.zarr").iterdir()) == ["good", "zarr.json"]


def test_a_demo_replaces_nothing_unasked(binary, tmp_path):
    """Only a directory that is new, empty or of a demo is written to."""

    def contents(folder):
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    theirs = tmp_path / "theirs"
    zarr.create_array(theirs / "by-epoch.zarr", data=np.arange(9), chunks=(3,))
    before = contents(theirs)
    for options in [[], ["--overwrite"]]:
        refused = demo(binary, tmp_path, "--dir", "theirs", *options)
        assert refused.returncode == 1 and "--dir" in refused.stderr
        assert contents(theirs) == before
    # A mark that somebody else's link makes is none.
    (theirs / ".zarrange-demo").symlink_to(tmp_path / "nothing")
    assert demo(binary, tmp_path, "--dir", "theirs", "--overwrite").returncode == 1
    assert not (tmp_path / "nothing").exists()

    (tmp_path / "empty").mkdir()
    assert demo(binary, tmp_path, "--dir", "empty").returncode == 0
    made = contents(tmp_path / "empty")
    refused = demo(binary, tmp_path, "--dir", "empty")
    assert refused.returncode == 1 and "--overwrite" in refused.stderr
    assert contents(tmp_path / "empty") == made
    # What the demo did not make stays, also beside its arrays.
    (tmp_path / "empty" / "notes.txt").write_text("mine")
    done = demo(binary, tmp_path, "--dir", "empty", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "empty") == {**made, Path("notes.txt"): b"mine"}
    # One that was interrupted goes on.
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / ".zarrange-demo").touch()
    assert demo(binary, tmp_path, "--dir", "begun").returncode == 0


def test_a_plan_replaces_nothing_unasked(run, tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(9), chunks=(3,))
    (tmp_path / "plan.json").write_text("mine")
    plan = [
        "plan",
        tmp_path / "a.zarr",
        tmp_path / "b.zarr",
        "--chunks",
        "9",
        "--out",
        tmp_path / "plan.json",
    ]
    assert "--overwrite-plan" in run(*plan, check=False).stderr
    assert (tmp_path / "plan.json").read_text() == "mine"
    run(*plan, "--overwrite-plan")
    (tmp_path / "t.csv").write_text("object_id,time,band,mag,magerr\na,1,g,2,3\n")
    (tmp_path / "c.zarr").mkdir()
    (tmp_path / "c.zarr" / "mine").touch()
    for options in [[], ["--overwrite"]]:
        done = run("lightcurve", "ingest", tmp_path / "t.csv", tmp_path / "c.zarr", *options, check=False)
        assert done.returncode == 1 and "exists" in done.stderr
    assert [p.name for p in (tmp_path / "c.zarr").iterdir()] == ["mine"]
