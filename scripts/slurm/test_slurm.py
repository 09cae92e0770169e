"""A plan that Slurm carries out, with its own daemons: a key, a controller and a node with two processors, started here. Processes are tracked without
control groups."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

ZARRANGE = os.environ.get("ZARRANGE", "zarrange")
SUBMIT = Path(__file__).with_name("submit")

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={d}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
MinJobAge=300
KillWait=2
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=high Nodes={host} PriorityTier=2 PreemptMode=OFF MaxTime=INFINITE State=UP
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """The environment of commands."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            folder=folder,
            ctld=free_port(),
            d=free_port(),
        )
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    folder.chmod(0o755)
    environment = os.environ | {"SLURM_CONF": str(config), "ZARRANGE": ZARRANGE}
    commands = [
        ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
        + [
            f"--pid-file={folder}/munge.pid",
            f"--seed-file={folder}/munge.seed",
            f"--log-file={folder}/munge.log",
        ],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D"],
    ]
    daemons = []
    try:
        for command in commands:
            program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
            assert program, f"{command[0]} is not installed"
            log = (folder / f"{command[0]}.out").open("wb")
            daemons.append(subprocess.Popen([program, *command[1:]], env=environment, stdout=log, stderr=log))
            time.sleep(1)
        until(lambda: "idle" in called(environment, "sinfo", "-h", "-o", "%t"), folder)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)


def called(environment, *command, check=True):
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(holds, folder=None, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            logs = (
                [f"{path}: {path.read_text(errors='replace')[-2000:]}" for path in folder.glob("*.*t*")]
                if folder
                else []
            )
            raise AssertionError("\n".join(["it takes too long", *logs]))
        time.sleep(0.2)


@pytest.fixture
def plan(slurm, tmp_path):
    """A plan of two stages."""
    values = np.arange(240 * 360, dtype="i4").reshape(240, 360)
    zarr.create_array(tmp_path / "src.zarr", shape=values.shape, chunks=(8, 360), dtype="i4")[...] = values
    command = [ZARRANGE, "plan", "src.zarr", "dst.zarr", "--chunks", "240,9", "--max-mem", "60kB"]
    options = ["--threads", "1", "--part-size", "30kB", "--out", "plan.json"]
    subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
    yield tmp_path / "plan.json"


def check_made(plan):
    values = zarr.open(plan.parent / "dst.zarr")
    assert values.chunks == (240, 9)
    np.testing.assert_array_equal(values[...], np.arange(240 * 360, dtype="i4").reshape(240, 360))
    assert {"src.zarr", "dst.zarr", "plan.json"} == {
        path.name for path in plan.parent.iterdir() if not path.name.startswith("slurm-")
    }


def queue(slurm):
    return called(slurm, "squeue", "-h", "-r", "-o", "%j %t")


def test_stages_and_finish(slurm, plan):
    last = called(slurm, SUBMIT, plan, "3", "--chdir", plan.parent).strip()
    assert last.isdigit()
    until(lambda: not queue(slurm), plan.parent)
    check_made(plan)


def test_a_task_is_preempted(slurm, plan, tmp_path):
    """A worker that takes long is put back in the queue for a job of more priority, and ends what it has to do later."""
    slow = tmp_path / "slow"
    slow.write_text(
        f'#!/bin/sh\nif [ "$1" = worker ] && [ "$3" = --stage ] && [ ! -e {tmp_path}/slurm-preempted ]; then sleep 600; fi\nexec {ZARRANGE} "$@"\n'
    )
    slow.chmod(0o755)
    environment = slurm | {"ZARRANGE": str(slow)}
    called(environment, SUBMIT, plan, "2", "--chdir", plan.parent)
    until(lambda: queue(slurm).count("zarrange-0 R") == 2)
    called(
        slurm,
        "sbatch",
        "--partition=high",
        "-n2",
        "--chdir",
        plan.parent,
        "--wrap",
        f"touch {tmp_path}/slurm-preempted; sleep 2",
    )
    until((tmp_path / "slurm-preempted").exists)
    assert not (plan.parent / "dst.zarr").exists()
    until(lambda: not queue(slurm), plan.parent, 240)
    slow.unlink()
    check_made(plan)


def test_finish_waits_for_all(slurm, plan, tmp_path):
    """A task that fails for good keeps the target from its name; what the others did stays for whoever calls again."""
    bad = tmp_path / "bad"
    bad.write_text(f'#!/bin/sh\ncase "$*" in *"--part 1/2"*) exit 1;; esac\nexec {ZARRANGE} "$@"\n')
    bad.chmod(0o755)
    called(slurm | {"ZARRANGE": str(bad)}, SUBMIT, plan, "2", "--chdir", plan.parent)
    until(lambda: not queue(slurm), plan.parent)
    assert not (plan.parent / "dst.zarr").exists()
    bad.unlink()
    called(slurm, SUBMIT, plan, "5", "--chdir", plan.parent)
    until(lambda: not queue(slurm), plan.parent)
    check_made(plan)
