"""The target is either as it was or the new one, and nobody else's files are touched: names, locks, leftovers, renames."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import machine
import numpy as np
import pytest
import zarr
from machine import ALONE, Paused, faulty, hidden, mounted, record
from support import tree

N = 400
# Chunks of a row each, to chunks of some columns: thousands of files, one after the other.
TO = [
    "--chunks",
    "1,20",
    "--max-mem",
    "3MB",
    "--threads",
    "1",
    "--key-separator",
    ".",
    "--durability",
    "none",
]
STAGED = [
    "--chunks",
    f"{N},1",
    "--way",
    "staged",
    "--max-mem",
    "2MB",
    "--threads",
    "1",
    "--durability",
    "none",
]
KEPT = "0" * 32


def source(path, sign=1):
    array = zarr.create_array(path, shape=(N, N), chunks=(1, N), dtype="i4", compressors=None)
    array[...] = sign * np.arange(1, N * N + 1).reshape(N, N)
    return path


def values(path):
    return zarr.open_array(path, mode="r")[...]


def small(path, value=1):
    """An array of four chunks."""
    zarr.create_array(path, shape=(8,), chunks=(2,), dtype="u1", compressors=None)[...] = value
    return path


@pytest.fixture
def public_path():
    """A folder that other users can enter."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def command(binary):
    return lambda *args: [binary, "rechunk", *args]


def paused(command, out, *, wrapped=False):
    """A run that has written some of its chunks."""

    def writing() -> bool:
        folders = hidden(out.parent)
        return bool(folders) and len([*folders[0].glob("target/*")]) > 100

    return Paused([*ALONE, *command] if wrapped else command, writing, out, wrapped=wrapped)


def check_same(src, out):
    np.testing.assert_array_equal(values(out), values(src))


# Two runs over one target


def test_one_run_at_a_time(run, tmp_path, command):
    """A second run says who has the target, before it writes anything; the first one goes on."""
    src, out = source(tmp_path / "src.zarr"), tmp_path / "out.zarr"
    first = paused(command(src, out, *TO), out)
    for options in [TO, ["--chunks", "3,400"]]:
        second = run("rechunk", src, out, *options, check=False)
        assert second.returncode == 1 and "being written by process" in second.stderr, second.stderr
        assert run("rechunk", src, out, *options, "--dry-run", check=False).returncode == 1
    assert first.go_on().returncode == 0
    check_same(src, out)
    assert not hidden(tmp_path)


def test_containers(tmp_path, command):
    """Process numbers do not tell two containers apart: both are process 1 here."""
    machine.needs_namespaces()
    src, out = source(tmp_path / "src.zarr"), tmp_path / "out.zarr"
    first = paused(command(src, out, *TO), out, wrapped=True)
    second = subprocess.run([*ALONE, *command(src, out, *TO)], capture_output=True, text=True)
    assert second.returncode == 1 and "being written by process 1 on" in second.stderr
    assert first.go_on().returncode == 0
    check_same(src, out)


def test_containers_share_temp(tmp_path, command):
    """Targets of one name in two folders, intermediates in one folder."""
    machine.needs_namespaces()
    scratch = tmp_path / "scratch"
    places = [tmp_path / "one", tmp_path / "two"]
    for sign, place in zip([1, -1], places, strict=True):
        place.mkdir()
        source(place / "src.zarr", sign)

    def started(place):
        args = [place / "src.zarr", place / "out.zarr", *STAGED, "--temp", scratch]
        return [*ALONE, *command(*args)]

    def spilled() -> bool:
        return any(p.stat().st_blocks > 100 for p in scratch.glob(".*/intermediate-0"))

    first = Paused(started(places[0]), spilled, places[0] / "out.zarr", wrapped=True)
    assert subprocess.run(started(places[1]), capture_output=True).returncode == 0
    assert first.go_on().returncode == 0
    for place in places:
        check_same(place / "src.zarr", place / "out.zarr")
    # It was made for them.
    assert not scratch.exists() or not [*scratch.iterdir()]


def test_pairs(tmp_path, command):
    """Pairs of runs at random moments, some of them killed: whoever ends with 0 has its own values in the target."""
    machine.needs_namespaces()
    dice = random.Random(5)
    sources = [source(tmp_path / "a.zarr"), source(tmp_path / "b.zarr", -1)]
    out, temp = tmp_path / "out.zarr", tmp_path / "temp"
    temp.mkdir()
    ended = []
    for _ in range(int(os.environ.get("ZARRANGE_PAIRS", "6"))):
        options = dice.choice([TO, STAGED])
        runs = []
        for src in sources:
            args = command(src, out, *options, "--overwrite", "--temp", temp)
            runs.append(
                subprocess.Popen([*ALONE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            time.sleep(dice.choice([0, 0, dice.random() / 5]))
        if dice.random() < 0.4:
            time.sleep(dice.random() / 3)
            dice.choice(runs).kill()
        codes = [(one.communicate()[1], one.returncode)[1] for one in runs]
        ended.append(codes)
        if 0 in codes:
            # The one that ended last has it; who was killed may have published just before.
            may = [src for src, code in zip(sources, codes, strict=True) if code != 1]
            assert any((values(out) == values(src)).all() for src in may), codes
    assert any(0 in codes for codes in ended), ended
    # A last run clears away what was killed.
    subprocess.run(command(sources[0], out, *TO, "--overwrite", "--temp", temp), check=True)
    check_same(sources[0], out)
    assert not hidden(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "b.zarr", "out.zarr", "temp"]


# What a run that was killed left


@pytest.fixture
def killed(tmp_path, command):
    """The folder of a run with an intermediate in `temp` that was killed."""
    src, out, temp = source(tmp_path / "src.zarr"), tmp_path / "out.zarr", tmp_path / "temp"
    temp.mkdir()

    def spilled() -> bool:
        return any(p.stat().st_size > 0 for p in temp.glob(".*/intermediate-0"))

    Paused(command(src, out, *STAGED, "--temp", temp), spilled, out).kill()
    [folder] = hidden(tmp_path)
    assert len(hidden(temp)) == 1
    return src, out, folder


def test_a_leftover_is_removed(run, killed):
    """With another plan, and another place for intermediates."""
    src, out, folder = killed
    run("rechunk", src, out, *TO)
    check_same(src, out)
    assert not hidden(out.parent) and not hidden(out.parent / "temp")


OWNERS = {
    "before this machine was started": ({"boot": "another"}, True),
    "another machine": ({"host": "another", "boot": "another"}, False),
    "not told": (None, False),
}


@pytest.mark.parametrize("owner", OWNERS)
def test_only_certain_leftovers_are_removed(run, killed, owner):
    (src, out, folder), (change, removed) = killed, OWNERS[owner]
    assert record(folder)["host"] == socket.gethostname()
    (folder / "lock").write_text(json.dumps(record(folder) | change) if change else "")
    (folder / "plan").touch()
    before = tree(folder)
    done = run("rechunk", src, out, *TO, check=False)
    if removed:
        assert done.returncode == 0, done.stderr
        assert not hidden(out.parent)
    else:
        assert done.returncode == 1 and str(folder) in done.stderr and "remove" in done.stderr, done.stderr
        assert tree(folder) == before and not out.exists()
        # As it was told.
        shutil.rmtree(folder)
        run("rechunk", src, out, *TO)
    check_same(src, out)


def test_foreign_names(run, tmp_path):
    """Whoever has the name of a run folder keeps what is in it, and a record is not believed."""
    src, precious = small(tmp_path / "src.zarr"), tmp_path / "precious"
    precious.mkdir()
    (precious / "lock").write_text(
        json.dumps(
            {"run": "r", "host": socket.gethostname(), "boot": "x", "process": 1, "target": "", "temp": None}
        )
    )
    (precious / "thesis").write_text("years")
    before = tree(precious)
    link = tmp_path / f".one.zarr.partial-{KEPT}"
    link.symlink_to(precious)
    done = run("rechunk", src, tmp_path / "one.zarr", "--chunks", "4", check=False)
    assert done.returncode == 1 and "link" in done.stderr and tree(precious) == before
    folder = tmp_path / f".two.zarr.partial-{KEPT}"
    folder.mkdir()
    (folder / "thesis").write_text("years")
    done = run("rechunk", src, tmp_path / "two.zarr", "--chunks", "4", check=False)
    assert done.returncode == 1 and (folder / "thesis").exists()
    # One that is empty, or in which nothing but an empty lock is, is nobody's.
    for name, lock in [("three", False), ("four", True)]:
        folder = tmp_path / f".{name}.zarr.partial-{KEPT}"
        folder.mkdir()
        if lock:
            (folder / "lock").touch()
        run("rechunk", src, tmp_path / f"{name}.zarr", "--chunks", "4")
        assert not folder.exists()
    # A record that names what is not of its run.
    folder = tmp_path / f".five.zarr.partial-{KEPT}"
    folder.mkdir()
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()
    claims = {
        "run": "r",
        "host": socket.gethostname(),
        "boot": boot,
        "process": 1,
        "target": "",
        "temp": str(precious),
    }
    (folder / "lock").write_text(json.dumps(claims))
    done = run("rechunk", src, tmp_path / "five.zarr", "--chunks", "4")
    assert tree(precious) == before and str(precious) in done.stderr


@pytest.mark.parametrize("letters", [200, 250, 255])
def test_long_names(run, tmp_path, letters):
    src, out = small(tmp_path / "src.zarr"), tmp_path / ("o" * letters)
    run("rechunk", src, out, "--chunks", "4", "--way", "staged", "--temp", tmp_path / "temp")
    check_same(src, out)


# Giving the new target its name


def test_where_names_cannot_be_exchanged(tmp_path, command):
    """Servers answer EINVAL: two renames do it."""
    src, out = small(tmp_path / "src.zarr", 7), small(tmp_path / "out.zarr", 1)
    done = faulty(["renameat2:error=EINVAL"], command(src, out, "--chunks", "4", "--overwrite"))
    assert done.returncode == 0, done.stderr
    check_same(src, out)
    assert not hidden(tmp_path)


@pytest.mark.parametrize("next_run", ["the same", "another", "reads it"])
def test_killed_between_two_renames(run, tmp_path, command, next_run):
    """The old target is put back by the next run, whatever that does."""
    src, out = small(tmp_path / "src.zarr", 7), small(tmp_path / "out.zarr", 1)
    before = tree(out)
    args = command(src, out, "--chunks", "4", "--overwrite", "--backend", "std", "--durability", "none")
    # Three names are given: to the metadata, to the old target, and to the new one.
    done = faulty(["renameat2:error=EINVAL", "renameat:error=EIO:signal=SIGKILL:when=3"], args)
    assert done.returncode == -signal.SIGKILL, done
    assert not out.exists() and len(hidden(tmp_path)) == 1
    if next_run == "reads it":
        run("rechunk", out, tmp_path / "copy.zarr")
        check_same(out, tmp_path / "copy.zarr")
        assert tree(out) == before
        return
    done = run("rechunk", src, out, "--chunks", "4" if next_run == "the same" else "8", check=False)
    assert done.returncode == 1 and "exists" in done.stderr and tree(out) == before
    run("rechunk", src, out, "--chunks", "8", "--overwrite")
    check_same(src, out)
    assert not hidden(tmp_path)


FAULTS = {
    "sync": ["syncfs:error=EIO"],
    "names": ["fsync:error=EIO"],
    "exchange": ["renameat2:error=EIO"],
    "second rename": ["renameat2:error=EINVAL", "renameat:error=EIO:when=2+"],
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("there", [False, True])
def test_a_failure_at_the_end(tmp_path, command, fault, there):
    """Exit 1: the target is as it was."""
    src, out = small(tmp_path / "src.zarr", 7), tmp_path / "out.zarr"
    if there:
        small(out)
    before = tree(tmp_path)
    args = command(src, out, "--chunks", "4", "--backend", "std", "--durability", "commit", "--overwrite")
    done = faulty(FAULTS[fault], args)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert tree(tmp_path) == before


def test_what_cannot_be_put_back_is_kept(run, tmp_path, command):
    """Two failures one after the other: the old target is where the error says, and no later run removes it."""
    src, out = small(tmp_path / "src.zarr", 7), small(tmp_path / "out.zarr", 1)
    before = tree(out)
    args = command(src, out, "--chunks", "4", "--backend", "std", "--overwrite", "--durability", "commit")
    done = faulty(["fsync:error=EIO", "renameat2:error=EIO:when=2"], args)
    [folder] = hidden(tmp_path)
    assert done.returncode == 1 and str(folder / "target") in done.stderr, done.stderr
    assert tree(folder / "target") == before
    for chunks in ["4", "8"]:
        done = run("rechunk", src, out, "--chunks", chunks, "--overwrite", check=False)
        assert done.returncode == 1 and str(folder) in done.stderr, done.stderr
        assert tree(folder / "target") == before


def test_the_old_target_cannot_be_removed(tmp_path, command):
    """It has been replaced: exit 0, and a warning with the path of what is left."""
    src, out = small(tmp_path / "src.zarr", 7), small(tmp_path / "out.zarr")
    args = command(src, out, "--chunks", "4", "--backend", "std", "--overwrite", "--durability", "commit")
    done = faulty(["unlinkat:error=EACCES", "unlink:error=EACCES", "rmdir:error=EACCES"], args)
    assert done.returncode == 0, done.stderr
    check_same(src, out)
    [folder] = hidden(tmp_path)
    assert str(folder) in done.stderr and "left over" in done.stderr


def test_layers(tmp_path, command):
    """Overlay file systems do not move directories of the layers below: known before the work, also by a dry run."""
    src = small(tmp_path / "src.zarr", 7)
    for name in ["lower", "upper", "work"]:
        (tmp_path / name).mkdir()
    old = small(tmp_path / "lower" / "out.zarr")
    layers = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    with mounted("-t", "overlay", "overlay", "-o", layers, at=tmp_path / "merged") as merged:
        for more in [["--dry-run"], []]:
            args = command(src, merged / "out.zarr", "--chunks", "4", "--overwrite", *more)
            done = subprocess.run(list(map(str, args)), capture_output=True, text=True)
            assert done.returncode == 1 and "cannot be replaced" in done.stderr, done.stderr
            check_same(merged / "out.zarr", old)
            assert not hidden(merged) and sorted(p.name for p in merged.iterdir()) == ["out.zarr"]
        # A new one can be made there, and replaced again.
        for value in [7, 8]:
            other = small(tmp_path / f"other{value}.zarr", value)
            args = command(other, merged / "new.zarr", "--chunks", "4", "--overwrite")
            done = subprocess.run(list(map(str, args)), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            check_same(merged / "new.zarr", other)


# What is replaced


CHANGES = {
    "a file more": lambda out: (out / "notes").write_text("mine"),
    "a chunk written anew": lambda out: (out / "c" / "0").write_bytes(b"\5\5"),
    "a file removed": lambda out: (out / "c" / "0").unlink(),
    "another in its place": lambda out: (shutil.rmtree(out), small(out, 9)),
    "gone": lambda out: shutil.rmtree(out),
    "a file in its place": lambda out: (shutil.rmtree(out), out.write_text("mine")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_meanwhile(tmp_path, command, change):
    src, out = source(tmp_path / "src.zarr"), small(tmp_path / "out.zarr")
    first = paused(command(src, out, *TO, "--overwrite"), out)
    CHANGES[change](out)
    before = tree(tmp_path / "out.zarr") if out.is_dir() else out.exists()
    done = first.go_on()
    assert done.returncode == 1 and "meanwhile" in done.stderr, done.stderr
    assert (tree(out) if out.is_dir() else out.exists()) == before
    assert not hidden(tmp_path)


@pytest.mark.parametrize("made", [lambda p: p.mkdir(), lambda p: p.write_text("mine"), small])
def test_made_meanwhile(tmp_path, command, made):
    src, out = source(tmp_path / "src.zarr"), tmp_path / "out.zarr"
    first = paused(command(src, out, *TO), out)
    made(out)
    before = tree(tmp_path / "out.zarr")
    done = first.go_on()
    assert done.returncode == 1 and "meanwhile" in done.stderr, done.stderr
    assert tree(out) == before and not hidden(tmp_path)


def non_utf8(out):
    (out / os.fsdecode(b"donn\xe9es.txt")).write_text("thesis")


IN_THE_WAY = {
    "a name that is not UTF-8": non_utf8,
    "a link that leads nowhere": lambda out: (out / "scan").symlink_to("annex/objects/x"),
    "a link in a circle": lambda out: (out / "loop").symlink_to("loop"),
    "a pipe": lambda out: os.mkfifo(out / "c" / "pipe"),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_nobody_knows_what_would_be_lost(run, tmp_path, what):
    src, out = small(tmp_path / "src.zarr", 7), small(tmp_path / "out.zarr")
    IN_THE_WAY[what](out)
    before = sorted(os.listdir(os.fsencode(out)))
    for more in [["--dry-run"], []]:
        done = run("rechunk", src, out, "--chunks", "4", "--overwrite", *more, check=False)
        assert done.returncode == 1 and "would be lost" in done.stderr, done.stderr
    assert sorted(os.listdir(os.fsencode(out))) == before and not hidden(tmp_path)


def test_a_link_is_not_replaced(run, tmp_path):
    src, real = small(tmp_path / "src.zarr", 7), small(tmp_path / "real.zarr")
    (tmp_path / "out.zarr").symlink_to("real.zarr")
    before = tree(real)
    done = run("rechunk", src, tmp_path / "out.zarr", "--chunks", "4", "--overwrite", check=False)
    assert done.returncode == 1 and "link to real.zarr" in done.stderr
    assert (tmp_path / "out.zarr").is_symlink() and tree(real) == before


KEPT_FROM_REMOVAL = {
    "a directory that cannot be written": ["chmod", "-R", "a-w", "out.zarr"],
    "a parent that cannot be written": ["chmod", "a-w", "."],
    "somebody else's in a folder for all": ["sh", "-c", "chown -R 1234 . && chmod 1777 ."],
    "an immutable chunk": ["chattr", "+i", "out.zarr/c/0"],
}


@pytest.mark.parametrize("why", KEPT_FROM_REMOVAL)
def test_what_cannot_be_removed(public_path, binary, why):
    """Known before the work, also by a dry run."""
    machine.needs_users()
    place = public_path / "place"
    place.mkdir()
    src, out = small(public_path / "src.zarr", 7), small(place / "out.zarr")
    shutil.copy(binary, public_path / "zarrange")
    subprocess.run(["chown", "-R", f"{machine.NOBODY}", str(place)], check=True)
    if subprocess.run(KEPT_FROM_REMOVAL[why], cwd=place).returncode != 0:
        pytest.skip("not on this file system")
    try:
        before = tree(out)
        for more in [["--dry-run"], []]:
            args = [public_path / "zarrange", "rechunk", src, out, "--chunks", "4", "--overwrite", *more]
            done = subprocess.run(
                [*machine.AS_NOBODY, *map(str, args)], capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 1 and "cannot be replaced" in done.stderr, done.stderr
        assert tree(out) == before and not hidden(place)
    finally:
        subprocess.run(["chattr", "-R", "-i", str(place)], capture_output=True)


def test_mounts_in_the_target(run, tmp_path):
    src, out = small(tmp_path / "src.zarr", 7), small(tmp_path / "out.zarr")
    with mounted("-t", "tmpfs", "none", at=out / "data") as data:
        (data / "precious").write_text("years")
        done = run("rechunk", src, out, "--chunks", "4", "--overwrite", check=False)
        assert done.returncode == 1 and "mounted" in done.stderr, done.stderr
        assert (data / "precious").exists()
    with mounted("--bind", small(tmp_path / "other.zarr"), at=tmp_path / "mounted.zarr") as target:
        done = run("rechunk", src, target, "--chunks", "4", "--overwrite", check=False)
        assert done.returncode == 1 and "mounted" in done.stderr, done.stderr


# Places that overlap


def test_overlaps_by_mounts(run, tmp_path):
    """One place under two names."""
    src = small(tmp_path / "src.zarr")
    (src / "sub").mkdir()
    before = tree(src)
    with mounted("--bind", src, at=tmp_path / "alias") as alias:
        for target in [alias, alias / "out.zarr"]:
            done = run("rechunk", src, target, "--chunks", "4", "--overwrite", check=False)
            assert done.returncode == 1 and "source" in done.stderr, done.stderr
    with mounted("--bind", src / "sub", at=tmp_path / "alias") as alias:
        done = run("rechunk", src, alias / "out.zarr", "--chunks", "4", check=False)
        assert done.returncode == 1 and "inside source" in done.stderr, done.stderr
    assert tree(src) == before


def test_temp_is_apart(run, tmp_path):
    src, out = small(tmp_path / "src.zarr"), small(tmp_path / "out.zarr")
    before = tree(tmp_path)
    for temp in [src, src / "c", out, out / "new"]:
        for more in [["--dry-run"], []]:
            args = ["--chunks", "4", "--overwrite", "--temp", temp]
            done = run("rechunk", src, out, *args, *more, check=False)
            assert done.returncode == 1 and "--temp" in done.stderr, done.stderr
    assert tree(tmp_path) == before


# Memory and room


@pytest.mark.parametrize("max_mem", [150, 250, 350, 450, 600])
@pytest.mark.parametrize("chunks", ["100,1000", "1000,100"])
def test_memory_of_comparing(run, tmp_path, max_mem, chunks):
    """A dry run tells whether the run could compare what it wrote."""
    src, out = tmp_path / "src.zarr", tmp_path / "out.zarr"
    data = np.random.default_rng(1).integers(0, 256, (1000, 1000)).astype("u1")
    zarr.create_array(src, data=data, chunks=(1000, 100))
    args = [
        "--chunks",
        chunks,
        "--shards",
        "1000,1000",
        "--threads",
        "1",
        "--max-mem",
        f"{max_mem}kB",
        "--verify",
        "full",
    ]
    dry = run("rechunk", src, out, *args, "--dry-run", check=False)
    done = run("rechunk", src, out, *args, check=False)
    assert (dry.returncode, dry.stderr) == (
        done.returncode,
        done.stderr,
    ) or done.returncode == dry.returncode == 0
    assert not hidden(tmp_path)


def test_room(run, tmp_path):
    src = tmp_path / "src.zarr"
    data = np.random.default_rng(1).integers(0, 256, (2000, 1000)).astype("u1")
    zarr.create_array(src, data=data, chunks=(1, 1000), compressors=None)
    zeros = tmp_path / "zeros.zarr"
    zarr.create_array(zeros, data=np.ones((2000, 1000), "u1"), chunks=(2000, 10), compressors=None)
    with mounted("-t", "tmpfs", "-o", "size=1M", "none", at=tmp_path / "small") as place:
        for more in [["--dry-run"], []]:
            # What a copy takes is known.
            done = run("rechunk", src, place / "out.zarr", *more, check=False)
            assert done.returncode == 1 and "make room" in done.stderr, done.stderr
            # So is an intermediate.
            staged = [
                "--chunks",
                "2000,1",
                "--way",
                "staged",
                "--max-mem",
                "200kB",
                "--threads",
                "1",
                "--temp",
                place,
            ]
            done = run("rechunk", src, tmp_path / "out.zarr", *staged, *more, check=False)
            assert done.returncode == 1 and "make room" in done.stderr, done.stderr
            assert not hidden(tmp_path) and not [*place.iterdir()]
        # How well it compresses is not.
        done = run("rechunk", zeros, place / "out.zarr", "--chunks", "100,1000", "--codecs", "zstd")
        assert "before compression" in done.stderr and "free" in done.stderr
        check_same(zeros, place / "out.zarr")
