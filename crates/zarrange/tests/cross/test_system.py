"""What the system refuses is an error, and a signal ends a command in order: nothing of ours is left, nothing half is published."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from machine import listen, mounted
from support import tree

RNG = np.random.default_rng(7)
DATA = RNG.integers(0, 1000, (300, 400), dtype="i4")
# Takes seconds to encode, so that a signal comes in time.
MUCH = RNG.integers(0, 1000, (2000, 1000), dtype="i4")
TEXT = np.array([f"text {k}" * (k % 5) for k in range(4000)], dtype=object)

# A user of nobody else's: limits of users count what other tests run as well.
USER = random.SystemRandom().randrange(20_000, 60_000)

# Against hanging only.
PATIENCE = 60
# A run may end before it hears of a signal.
TRIES = 200


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Arrays that others than their owner can read."""
    root = tmp_path_factory.mktemp("system")
    for above in [root, *root.parents][:4]:
        with contextlib.suppress(PermissionError):
            above.chmod(above.stat().st_mode | 0o055)
    zarr.create_array(root / "plain", data=DATA, chunks=(300, 1))
    zarr.create_array(root / "much", data=MUCH, chunks=(2000, 100), compressors=None)
    zarr.create_array(root / "sharded", data=DATA, chunks=(10, 10), shards=(50, 100))
    text = zarr.create_array(root / "text", shape=TEXT.shape, chunks=(10,), dtype=str)
    text[:] = TEXT
    rows = [f"o{k % 200},{k},r,{k % 17}.5,0.1" for k in range(40_000)]
    (root / "table.csv").write_text("\n".join(["object_id,time,band,mag,magerr", *rows]))
    return root


@pytest.fixture
def out(tmp_path):
    """A folder of its own for everybody to write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    for above in [folder, *folder.parents][:4]:
        with contextlib.suppress(PermissionError):
            above.chmod(above.stat().st_mode | 0o055)
    folder.chmod(0o777)
    return folder


TARGET = "target"

# Every way to move an array: the source, and what is asked.
WAYS = {
    "copy": ["rechunk", "plain", TARGET, "--threads", "4"],
    "copy-verified": ["rechunk", "plain", TARGET, "--threads", "1", "--verify", "full"],
    "repack": ["rechunk", "sharded", TARGET, "--shards", "100,50", "--threads", "4"],
    "tiles": ["rechunk", "plain", TARGET, "--chunks", "1,400", "--way", "tiles", "--threads", "4"],
    "sweep": ["rechunk", "sharded", TARGET, "--chunks", "7,7", "--way", "sweep", "--threads", "4"],
    "shards": ["rechunk", "plain", TARGET, "--chunks", "1,10", "--shards", "100,100", "--threads", "4"],
    "staged": ["rechunk", "plain", TARGET, "--chunks", "1,400", "--way", "staged", "--max-mem", "200000"],
    "staged-temp": [
        *["rechunk", "plain", TARGET, "--chunks", "1,400", "--way", "staged", "--max-mem", "200000"],
        *["--threads", "3", "--temp", "temp"],
    ],
    "text": ["rechunk", "text", TARGET, "--chunks", "700", "--threads", "4"],
    "ingest": ["lightcurve", "ingest", "table.csv", TARGET],
}
SLOW = {"slow": ["rechunk", "much", TARGET, "--chunks", "100,1000", "--codecs", "zstd:22", "--threads", "2"]}


def arguments(way, sources, out, *more) -> list[str]:
    """The command line: names of sources, and of what is made, as paths."""
    (out / "temp").mkdir(exist_ok=True)
    (out / "temp").chmod(0o777)
    paths = {name: sources / name for name in ["plain", "sharded", "much", "text", "table.csv"]}
    paths |= {name: out / name for name in [TARGET, "temp"]}
    args = [str(paths.get(arg, arg)) for arg in (WAYS | SLOW)[way]]
    return [*args, *(["--durability", "none"] if args[0] == "rechunk" else []), *more]


def is_complete(way, out, sources) -> bool:
    """Whether the target is there; if it is, it holds everything."""
    target = out / TARGET
    if not target.exists():
        return False
    node = zarr.open(target, mode="r")
    if way == "ingest":
        assert node["mag"].shape == (200, 200)
        assert not np.isnan(node["mag"][...]).any()
    elif way == "text":
        assert (np.asarray(node[...], dtype=object) == TEXT).all()
    else:
        assert (node[...] == (MUCH if way == "slow" else DATA)).all()
    return True


def check(done, way, out, sources) -> None:
    """Success with a whole target, or an error that is said, without one and without anything else of ours."""
    stderr = done.stderr or ""
    assert "panicked" not in stderr and "overflow" not in stderr, stderr
    assert 0 <= done.returncode < 128, (done.returncode, stderr)
    assert is_complete(way, out, sources) == (done.returncode == 0), stderr
    assert done.returncode == 0 or "zarrange: " in stderr
    assert {str(p.relative_to(out)) for p in out.glob("**/*partial*")} == set(), stderr
    assert sorted(p.name for p in out.iterdir()) == ["target", "temp"][done.returncode != 0 :]


def limited(binary, limit, args, *, user=False):
    as_user = f"setpriv --reuid {USER} --regid {USER} --clear-groups " if user else ""
    script = f'ulimit -c 0; {limit}; exec {as_user}"$@"'
    command = ["bash", "-c", script, "bash", binary, *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


# Memory, descriptors, threads

LIMITS = [
    *[f"ulimit -v {kib}" for kib in [60_000, 100_000, 200_000, 400_000]],
    *["ulimit -d 60000", "ulimit -d 200000"],
    *[f"ulimit -n {count}" for count in [6, 8, 12, 20, 64]],
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", LIMITS)
def test_what_is_refused_is_an_error(binary, sources, out, way, limit):
    backend = random.Random(way + limit).choice(["auto", "std", "mmap", "io_uring"])
    done = limited(binary, limit, arguments(way, sources, out, "--backend", backend))
    check(done, way, out, sources)
    if done.returncode:
        assert "ulimit" in done.stderr


@pytest.mark.parametrize("way", ["ingest", "tiles"])
def test_whatever_could_not_be_opened_the_limit_is_told(binary, sources, out, way):
    """Tables are no stores, and what is opened first depends on how it was built."""
    for count in range(3, 16):
        done = limited(binary, f"ulimit -n {count}", arguments(way, sources, out))
        if done.stderr.startswith("zarrange: ") and done.returncode:
            assert "ulimit" in done.stderr, count
        shutil.rmtree(out / "target", ignore_errors=True)


@pytest.mark.parametrize("args", [["info", "plain"], ["verify", "sharded", "sharded", "--threads", "16"]])
@pytest.mark.parametrize("limit", LIMITS)
def test_reading_within_limits(binary, sources, limit, args):
    done = limited(
        binary, limit, [str(sources / arg) if arg in ["plain", "sharded"] else arg for arg in args]
    )
    assert "panicked" not in done.stderr
    assert done.returncode == 0 or (done.returncode == 1 and "ulimit" in done.stderr), done.stderr


@pytest.mark.parametrize("way", ["repack", "shards", "staged", "copy"])
@pytest.mark.parametrize("backend", ["std", "mmap", "io_uring"])
def test_so_many_descriptors_suffice(binary, sources, out, way, backend):
    """Those that the error names: 16, and 6 for each thread."""
    args = arguments(way, sources, out, "--backend", backend)
    args = args if "--threads" in args else [*args, "--threads", "4"]
    done = limited(binary, "ulimit -n 40", args)
    assert done.returncode == 0, done.stderr
    check(done, way, out, sources)


@pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"), reason="needs another user's limits: run as root"
)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_fewer_threads_do(binary, sources, out, way, threads):
    """Of the limit one is the process itself."""
    done = limited(binary, f"ulimit -u {threads}", arguments(way, sources, out), user=True)
    assert done.returncode == 0, done.stderr
    check(done, way, out, sources)
    if threads == 1 and way in ["tiles", "repack", "copy"]:
        assert "the system gives 1 of" in done.stderr


def test_the_memory_of_a_limit_is_used(binary, sources, out):
    """What is asked for is cut to what there is, and that is said."""
    done = limited(binary, "ulimit -v 300000", arguments("tiles", sources, out, "--max-mem", "2GB"))
    assert done.returncode == 0, done.stderr
    assert "of 2.00 GB for data, the limits of this process (ulimit -v) leave" in done.stderr
    check(done, "tiles", out, sources)


# Standard streams


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("way", ["tiles", "staged", "text"])
def test_closed_streams(binary, sources, out, tmp_path, way, closed):
    """No file that is opened gets the number of a stream, and lines that are meant for it."""
    (tmp_path / "other").mkdir()
    expected = subprocess.run([binary, *arguments(way, sources, tmp_path / "other")], capture_output=True)
    assert expected.returncode == 0
    command = ["bash", "-c", f'"$@" {closed}', "bash", binary, *arguments(way, sources, out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    check(done, way, out, sources)
    assert tree(out / TARGET) == tree(tmp_path / "other" / TARGET)


@pytest.mark.parametrize("way", WAYS)
def test_published_is_success_although_nobody_can_be_told(binary, sources, out, way):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [binary, *arguments(way, sources, out)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
    assert "stdout cannot be written" in done.stderr
    assert done.returncode == 0
    check(done, way, out, sources)


@pytest.mark.parametrize(
    "args",
    [
        ["info", "plain"],
        ["info", "plain", "--json"],
        ["verify", "plain", "plain"],
        ["plan", "plain", "nowhere", "--out", "-"],
        ["rechunk", "plain", "nowhere", "--dry-run"],
    ],
)
def test_a_result_that_cannot_be_written_is_an_error(binary, sources, tmp_path, args):
    paths = {"plain": sources / "plain", "nowhere": tmp_path / "nowhere"}
    with open("/dev/full", "w") as full:
        command = [binary, *(str(paths.get(arg, arg)) for arg in args)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert (done.returncode, "stdout cannot be written" in done.stderr) == (1, True)


# Signals


def hidden(out) -> bool:
    return any(out.glob("*.partial*")) or any(out.glob(".*partial*"))


def wait_for(what, process) -> bool:
    """Waits until something is so; false if the process ended before."""
    end = time.monotonic() + PATIENCE
    while not what():
        if process.poll() is not None:
            return False
        assert time.monotonic() < end
        time.sleep(0.0005)
    return True


def child(process) -> int:
    """The process that this one has started, if it still runs."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        if pids := children.read_text().split():
            return int(pids[0])
    raise ProcessLookupError


def start(binary, args, *, first=False, **options):
    """The command, as process 1 of its own if it is to be the `first`; and how to send it a signal."""
    before = ["unshare", "--pid", "--fork"] if first else []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": listen} | options
    process = subprocess.Popen([*before, binary, *args], text=True, **pipes)

    def send(number):
        # Either of them may have ended by now.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(child(process) if first else process.pid, number)

    return process, send


def ended(process, number, way, out, sources) -> bool:
    """How it ended: stopped, which is said in one line, without a trace; or with a whole target."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    done = subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
    if done.returncode == -number:
        # Before it listened; a shell says 128 and the number as well.
        assert not is_complete(way, out, sources) and not hidden(out)
        return True
    if done.returncode == 128 + number:
        assert stderr.count("\n") == 1 and f"stopped by {number.name}: " in stderr, stderr
        assert not is_complete(way, out, sources)
        assert [str(p) for p in out.glob("**/*")] == [str(out / "temp")]
        return True
    check(done, way, out, sources)
    assert done.returncode == 0, stderr
    return False


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_writes(binary, sources, out, way, number):
    process, send = start(binary, arguments(way, sources, out))
    if wait_for(lambda: hidden(out), process):
        send(number)
    ended(process, number, way, out, sources)


def root_only(first):
    if first and os.getuid() != 0:
        pytest.skip("process 1 is not tested: needs root, for a namespace of processes")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [False, True])
def test_a_signal_at_any_moment(binary, sources, out, way, first):
    root_only(first)
    begin = time.monotonic()
    subprocess.run([binary, *arguments(way, sources, out)], check=True, capture_output=True)
    took = time.monotonic() - begin
    chance = random.Random(way)
    stopped = tries = 0
    while tries < 8 or (not stopped and tries < TRIES):
        tries += 1
        # The first may have taken longer than the others will.
        took *= 1 if stopped else 0.9
        shutil.rmtree(out / TARGET, ignore_errors=True)
        number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        process, send = start(binary, arguments(way, sources, out), first=first)
        time.sleep(took * chance.random())
        send(number)
        stopped += ended(process, number, way, out, sources)
    assert stopped, "not one of them was stopped"


@pytest.mark.parametrize("args", [["info", "plain"], ["verify", "plain", "plain"]])
def test_a_signal_while_it_reads(binary, sources, args):
    """Its output is a pipe that is full: it cannot end by itself."""
    read, write = full_pipe()
    process, send = start(binary, [str(sources / a) if a == "plain" else a for a in args], stdout=write)
    time.sleep(0.5)
    assert process.poll() is None
    send(signal.SIGTERM)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (143, "zarrange: stopped by SIGTERM: nothing was written\n")
    os.close(read), os.close(write)


def test_a_signal_after_publication(binary, sources, out):
    """The target is there, and the report cannot be printed: that is no failure."""
    read, write = full_pipe()
    process, send = start(binary, arguments("tiles", sources, out), stdout=write)
    assert wait_for((out / TARGET).exists, process)
    time.sleep(0.5)
    send(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert is_complete("tiles", out, sources) and not hidden(out)
    os.close(read), os.close(write)


def full_pipe():
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"x")
    os.set_blocking(write, True)
    return read, write


def test_a_second_signal_ends_it_at_once(binary, sources, out):
    for _ in range(TRIES):
        process, send = start(binary, arguments("slow", sources, out))
        if wait_for(lambda: hidden(out), process):
            # Both are there when it goes on.
            for number in [signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT]:
                send(number)
        _, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode in [130, 143]
        assert not (out / TARGET).exists()
        # It may have ended in order before it heard of the second.
        if "for the second time" in stderr:
            return
    pytest.fail("it never heard of the second")


def test_a_closing_terminal_may_say_so_twice(binary, sources, out):
    process, send = start(binary, arguments("slow", sources, out))
    assert wait_for(lambda: hidden(out), process)
    for _ in range(3):
        send(signal.SIGHUP)
        time.sleep(0.001)
    assert ended(process, signal.SIGHUP, "slow", out, sources)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_was_ignored_stays_ignored(binary, sources, out, number):
    ignore = lambda: signal.signal(number, signal.SIG_IGN)
    process, send = start(binary, arguments("tiles", sources, out), preexec_fn=ignore)
    if wait_for(lambda: hidden(out), process):
        send(number)
    assert not ended(process, number, "tiles", out, sources)


def test_a_plan_is_there_or_not(binary, sources, out):
    """The file of a plan, and nothing beside it."""
    chance = random.Random("plan")
    for k in range(10):
        plan = out / f"{k}.json"
        process, send = start(binary, ["plan", str(sources / "plain"), str(out / TARGET), "--out", str(plan)])
        time.sleep(0.05 * chance.random())
        send(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        assert process.returncode in [0, 143, -signal.SIGTERM]
        assert plan.exists() == (process.returncode == 0)
        assert not [name for name in out.glob("**/*") if "partial" in name.name]


def test_a_full_disk_is_not_probed(run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with mounted("-t", "tmpfs", "-o", "size=2M", "none", at=tmp_path / "small") as place:
        done = run("probe", place, "--seconds", "1", check=False)
        assert done.returncode == 1
        assert "a probe writes up to 326 MiB, but 2.10 MB are free at" in done.stderr, done.stderr
        assert not [*place.iterdir()] and not (tmp_path / "config").exists()
