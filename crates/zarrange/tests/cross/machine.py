"""What tests need of the machine: other users, mounts, namespaces of processes, faults of system calls."""

import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
# A process number that another one has as well.
ALONE = ["unshare", "--pid", "--fork", "--kill-child"]


def listen() -> None:
    """Before a process starts: what is ignored here, as by nohup or a shell in the background, is not ignored there."""
    for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def on_disk() -> Iterator[Path]:
    """A folder on a disk. What tests are given may lie in memory: where the disk is, ZARRANGE_DISK says then."""
    with tempfile.TemporaryDirectory(
        dir=os.environ.get("ZARRANGE_DISK"), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@functools.cache
def works(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0
    )


def needs(*command: str, what: str) -> None:
    """Leaves a test out, and says so, where a command does not work on this machine."""
    if not works(*command):
        pytest.skip(f"{what} cannot be had here: {' '.join(command)}")


def needs_faults() -> None:
    needs("strace", "-f", "-e", "trace=none", "true", what="faults of system calls")


def needs_users() -> None:
    needs(*AS_NOBODY, "true", what="another user")


def needs_namespaces() -> None:
    needs(*ALONE, "true", what="a namespace of processes")


@contextmanager
def mounted(*args, at: Path) -> Iterator[Path]:
    """`mount *args at`, for a while."""
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *map(str, args), str(at)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def faulty(inject: list[str], command: list) -> subprocess.CompletedProcess:
    """Runs a command of which some system calls fail, as strace's `-e inject=` has it."""
    needs_faults()
    traced = ",".join(sorted({fault.partition(":")[0] for fault in inject}))
    options = [option for fault in inject for option in ("-e", f"inject={fault}")]
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={traced}", *options, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def hidden(parent: Path) -> list[Path]:
    """Run folders of targets in a directory."""
    return sorted(parent.glob(".*.partial-*"))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Paused:
    """A command that was stopped in the middle of its work."""

    def __init__(self, command: list, ready: Callable[[], bool], target: Path, *, wrapped: bool = False):
        """A run that was faster than we are, and made its `target`, is done again."""
        made_anew, end = not target.exists(), time.monotonic() + 60
        self.start(command)
        while not self.seen(ready):
            if self.process.poll() is not None:
                outcome = self.process.communicate()
                if self.process.returncode != 0 or not made_anew or time.monotonic() > end:
                    pytest.fail(f"it could not be stopped in time: {outcome}")
                shutil.rmtree(target)
                self.start(command)
            assert time.monotonic() < end
        self.pid = children(self.process.pid)[0] if wrapped else self.process.pid
        os.kill(self.pid, signal.SIGSTOP)
        # It stops at the next return to user space.
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < end

    def start(self, command: list) -> None:
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    @staticmethod
    def seen(ready: Callable[[], bool]) -> bool:
        try:
            return ready()
        except FileNotFoundError:
            # It was removed while we looked.
            return False

    def go_on(self) -> subprocess.CompletedProcess:
        os.kill(self.pid, signal.SIGCONT)
        out, err = self.process.communicate(timeout=120)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.process.communicate(timeout=60)


def record(folder: Path) -> dict:
    """Who a run folder says that it belongs to."""
    return json.loads((folder / "lock").read_text())
