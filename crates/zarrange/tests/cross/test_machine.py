"""What a command takes from the machine around it: memory that its control group leaves."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

# In memory, what the page cache holds of files is the files.
pytestmark = pytest.mark.disk

MB = 1_000_000


def memory_group():
    """A new group for memory, with the names of its limit, and whether it is of version 2; a reason where there is none."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, _ = line.split(":", 2)
        root = Path("/sys/fs/cgroup")
        if "memory" in controllers.split(","):
            base, limit = root / "memory", "memory.limit_in_bytes"
        elif controllers == "" and (root / "cgroup.controllers").exists():
            base, limit = root, "memory.max"
        else:
            continue
        group = base / f"zarrange-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError as error:
            return None, None, f"no group may be made here: {error}"
        if not (group / limit).exists():
            group.rmdir()
            return None, None, f"{base} gives its groups no {limit}"
        return group, limit, None
    return None, None, "there are no control groups for memory"


@pytest.fixture
def group():
    made, limit, reason = memory_group()
    if reason:
        pytest.skip(reason)
    yield made, limit
    for _ in range(100):
        try:
            made.rmdir()
            break
        except OSError:
            time.sleep(0.05)


def allowed(output: str) -> float:
    """The memory that a plan was made for, in bytes."""
    number, unit = re.search(r"of ([0-9.]+) ([kMG]?B) allowed", output).groups()
    return float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


def test_page_cache_of_a_group_is_free(binary, tmp_path, group):
    """Half of what the group leaves is taken, whether or not the page cache fills the rest of it."""
    made, limit = group
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(1000, dtype="i4"), chunks=(100,))
    (made / limit).write_text(str(400 * MB))
    plan = [binary, "rechunk", str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr")]
    plan += ["--chunks", "10", "--dry-run"]
    fill = f"head -c {300 * MB} /dev/zero > '{tmp_path}/cached'; cat '{tmp_path}/cached' > /dev/null;"
    results = []
    for before in ["", fill]:
        script = (
            f"echo $$ > '{made}/cgroup.procs' || exit 9; {before} cat '{made}'/memory.stat >&2; exec \"$@\""
        )
        done = subprocess.run(["sh", "-c", script, "sh", *plan], capture_output=True, text=True, check=False)
        if done.returncode == 9:
            pytest.skip(f"no process may be put into {made}: {done.stderr}")
        assert done.returncode == 0, done.stderr
        results.append(allowed(done.stdout))
        cached = sum(
            int(n) for n in re.findall(r"^(?:total_)?(?:in)?active_file (\d+)", done.stderr, re.MULTILINE)
        )
    assert cached > 200 * MB, "or nothing was tried"
    shutil.rmtree(tmp_path / "b.zarr", ignore_errors=True)
    for result in results:
        assert 150 * MB <= result <= 200 * MB, results
