"""The command under test, as a fixture."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import machine
import pytest
from newest_process import newest_process

pytest.register_assert_rewrite("support", "compare")

HERE = Path(__file__).parent


def pytest_configure(config):
    # Whatever profiles are kept on this machine.
    os.environ["XDG_CONFIG_HOME"] = os.devnull
    config.addinivalue_line(
        "markers", "disk: what a file system in memory does not have: scripts/test runs it on the disk"
    )
    # Codecs of numcodecs are not in the specification of Zarr v3, and shards inside other codecs are slow.
    config.addinivalue_line("filterwarnings", "ignore::zarr.errors.ZarrUserWarning")


@pytest.fixture
def tmp_path(request, tmp_path):
    """On a disk for tests that are marked so: those of the others may lie in memory."""
    if not request.node.get_closest_marker("disk"):
        yield tmp_path
        return
    with machine.on_disk() as folder:
        yield folder


@pytest.fixture(scope="session")
def binary() -> str:
    """The zarrange command that the environment variable ZARRANGE names."""
    named = os.environ.get("ZARRANGE", "")
    if not Path(named).is_file():
        pytest.exit(f"set ZARRANGE to the zarrange command to test: {named!r} is no file", returncode=2)
    return str(Path(named).resolve())


@pytest.fixture(scope="session")
def old_python() -> str:
    """The Python with zarr 2 that the environment variable ZARR2_PYTHON names."""
    named = os.environ.get("ZARR2_PYTHON", "")
    if not Path(named).is_file():
        pytest.exit(
            f"set ZARR2_PYTHON to a Python that has {HERE / 'requirements-v2.txt'}: {named!r}", returncode=2
        )
    return named


@pytest.fixture(scope="session")
def datasets(tmp_path_factory, old_python) -> dict[int, Path]:
    """Folders with all stores of `datasets.py`, by the version of Zarr."""
    folders = {version: tmp_path_factory.mktemp(f"v{version}") for version in [2, 3]}
    for version, python in {2: old_python, 3: sys.executable}.items():
        subprocess.run([python, "-W", "ignore", HERE / "datasets.py", folders[version]], check=True)
    return folders


@pytest.fixture(scope="session")
def newest_zarr() -> Iterator[Callable]:
    """`newest_zarr(NAME, *args)`: what that function of `newest_serve.py` returns, with the newest zarr.

    It runs in the Python that the environment variable NEWEST_PYTHON names; not every machine can have one.
    """
    named = os.environ.get("NEWEST_PYTHON")
    if named is None:
        pytest.skip("zarr 3.4 is not tested: NEWEST_PYTHON names no Python (scripts/newest-python makes one)")
    if not Path(named).is_file():
        pytest.exit(
            f"set NEWEST_PYTHON to a Python that has {HERE / 'requirements-newest.txt'}: {named!r}",
            returncode=2,
        )
    with newest_process(named) as call:
        yield call


@pytest.fixture
def run(binary):
    """`run(*args, check=True)`: the finished process, with what `--json` printed as `.json`."""

    def run(*args, check: bool = True) -> subprocess.CompletedProcess:
        command = [binary, *map(str, args)]
        if args[:1] == ("rechunk",) and "--durability" not in args:
            # The same is written; to wait for a busy disk hundreds of times takes minutes.
            command += ["--durability", "none"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            pytest.fail(f"{command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        done.json = json.loads(done.stdout) if "--json" in args and done.stdout else None
        return done

    return run
