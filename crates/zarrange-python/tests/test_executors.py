"""The contract of executors, each with an engine that is started here: the target is that of one process byte for byte, and nothing is left behind,
whatever happens to workers.

ENGINES names the engines to try; without it they are those that are tested everywhere.
"""

import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import engines
import numpy as np
import pytest
import zarr
from conftest import Slices, array, numbered

import zarrange
from zarrange.executors import SharedPlan

TESTED = os.environ.get("ENGINES", "python threads dask dask-processes dask-cluster").split()

#: Those without workers: nothing is kept of a run that failed.
ALONE = {"python", "threads", "dask"}

#: Those that go on by themselves when a worker is gone.
RECOVERS = {"dask-cluster", "lithops", "pywren", "ray"}

#: Those that call again what failed.
RETRIES = RECOVERS | {"beam", "prefect", "prefect-processes"}

#: How long one of them may take, in seconds, before it is ended and called again.
PATIENCE = 60


@pytest.fixture(scope="module", params=TESTED)
def engine(request):
    os.environ["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    with engines.started(request.param) as (executor, kwargs):
        yield request.param, executor, kwargs


def check_made(folder, case):
    """The target is what one process makes, and there is nothing beside it."""
    left = sorted(path.name for path in folder.iterdir())
    engines.rechunked(case, folder, "threads", "expected.zarr").execute()
    expected = engines.files(folder / "expected.zarr")
    assert engines.files(folder / "target.zarr") == expected
    assert left == sorted({"marker", "source.zarr", "target.zarr"} & set(left)), "something is left behind"


@pytest.mark.parametrize("case", [case for case in engines.CASES if case not in engines.FAULTS])
def test_every_way(engine, case, tmp_path):
    name, executor, kwargs = engine
    job = engines.rechunked(case, tmp_path, executor)
    job.execute(**kwargs)
    check_made(tmp_path, case)
    whole = engines.rechunked(case, tmp_path, "threads", "other.zarr")
    whole.execute()
    for counter in ("target_chunks", "bytes_written"):
        assert job.report[counter] == whole.report[counter]


@pytest.mark.parametrize("case", ["failed", "slow"])
def test_one_task_fails_or_takes_long(engine, case, tmp_path):
    name, executor, kwargs = engine
    job = engines.rechunked(case, tmp_path, executor)
    fails = case == "failed" and name not in RETRIES
    with pytest.raises(Exception, match="it failed once") if fails else contextlib.nullcontext():
        job.execute(**kwargs)
    assert (tmp_path / "marker").exists()
    if fails:
        kept = sorted(path.name for path in tmp_path.iterdir())
        assert (name in ALONE) == (kept == ["marker"]), "receipts are kept where there are workers"
        job.execute(**kwargs)
    check_made(tmp_path, case)


def test_a_worker_is_killed(engine, tmp_path):
    """In a process of its own, for that may be the worker."""
    name, executor, kwargs = engine
    # The engine that the test has is in the way of another one.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "RAY_"))}
    command = [sys.executable, engines.__file__, name, "killed", tmp_path]
    ended = []
    for _ in range(2):
        process = subprocess.Popen(
            command,
            start_new_session=True,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ended.append(process.wait(PATIENCE))
        except subprocess.TimeoutExpired:
            ended.append(None)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert (tmp_path / "marker").exists()
        if ended[-1] == 0:
            break
        assert not (tmp_path / "target.zarr").exists()
    assert ended[-1] == 0
    if name in RECOVERS:
        assert len(ended) == 1
    check_made(tmp_path, "killed")


class Doubled(SharedPlan):
    """Each task twice."""

    def tasks(self, stage, shares=None):
        return [task for task in super().tasks(stage, shares) for _ in range(2)]


@pytest.mark.parametrize("case", ["tiles", "staged"])
def test_parts_are_done_twice(engine, case, tmp_path, monkeypatch):
    name, executor, kwargs = engine
    job = engines.rechunked(case, tmp_path, executor)
    once = job._shared

    def twice():
        plan = once()
        return Doubled(**{field: getattr(plan, field) for field in plan.__dataclass_fields__})

    monkeypatch.setattr(job, "_shared", twice)
    job.execute(**kwargs)
    check_made(tmp_path, case)


def test_a_target_of_one_process_is_refused(engine):
    name, executor, kwargs = engine
    if name in ALONE:
        pytest.skip("it works in this process")
    for target in ({}, zarr.storage.MemoryStore(), "memory://target"):
        job = zarrange.rechunk(array(f"{id(target)}.zarr"), (80, 2), "1MB", target, executor=executor)
        with pytest.raises(NotImplementedError, match="no folder"):
            job.execute(**kwargs)


def test_sources_that_are_objects(engine, tmp_path):
    name, executor, kwargs = engine
    dask = pytest.importorskip("dask.array")
    source = dask.from_array(numbered((80, 60)), chunks=(9, 60)) + 1
    result = zarrange.rechunk(source, (80, 2), "1MB", "target.zarr", executor=executor, part_size="6kB")
    np.testing.assert_array_equal(result.execute(**kwargs)[...], numbered((80, 60)) + 1)
    if name in ALONE:
        return
    unsent = Slices(numbered((80, 60)), answer=lambda block: open_file and block)
    open_file = open("held", "w")  # noqa: SIM115
    with open_file, pytest.raises(TypeError, match="cannot be sent to other processes"):
        zarrange.rechunk(unsent, (80, 2), "1MB", "other.zarr", executor=executor).execute(**kwargs)
    assert not (tmp_path / "other.zarr").exists()


def test_the_example(engine, tmp_path):
    """That of docs/engines.md, as a program."""
    page = (Path(__file__).parents[3] / "docs" / "engines.md").read_text()
    first, *blocks = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    named = {block.partition("\n")[0].removeprefix("# "): block for block in blocks}
    assert named.keys() == {"dask", "beam", "prefect", "lithops", "ray", "own"}
    name = {"dask-cluster": "dask", "python": "own"}.get(engine[0], engine[0])
    if name not in named or engine[0] == "dask":
        pytest.skip("it has none of its own")
    for program in (first, named[name]):
        Path("example.py").write_text(program)
        subprocess.run([sys.executable, "example.py"], check=True, timeout=120)
    made = zarr.open("by-object.zarr")
    assert made.chunks == (20, 200)
    np.testing.assert_array_equal(made[...], zarr.open("by-epoch.zarr")[...])


# The rest is of plans, whatever carries them out.


@pytest.fixture
def plan():
    class Kept:
        def prepare_plan(self, job):
            return job.shared()

        def execute_plan(self, plan):
            raise AssertionError

    array()
    return lambda max_mem="1MB", **options: (
        zarrange.rechunk(
            "source.zarr", None, max_mem, "target.zarr", executor=Kept(), part_size="6kB", **options
        ).plan
    )


def carried_out(plan):
    plan.begin()
    for stage in plan.stages:
        for task in plan.tasks(stage):
            task()
    return plan.finish()


def test_a_plan_is_small_and_goes_anywhere(plan):
    made = plan()
    tasks = made.tasks(0)
    assert [task.of for task in tasks] == [made.parts[0]] * made.parts[0]
    assert len(pickle.dumps(tasks[0])) < 600
    assert not Path("target.zarr").exists()
    assert os.listdir() == ["source.zarr"], "nothing is written before it begins"
    made = pickle.loads(pickle.dumps(made))
    assert carried_out(made)["counts"]["target_chunks"] == 40
    assert made.is_finished()
    np.testing.assert_array_equal(zarr.open("target.zarr")[...], numbered((80, 60)))


def test_calls_that_come_late_or_twice(plan):
    made = plan()
    late = made.tasks(0)[0]
    carried_out(made)
    assert late()["parts"] == 0
    assert made.finish() == {}
    assert sorted(os.listdir()) == ["source.zarr", "target.zarr"]


def test_what_was_begun_goes_on(plan):
    made = plan()
    made.begin()
    first, *others = made.tasks(0)
    first()
    assert made.status() == [(made.parts[0], 1)]
    # The same is asked again, by somebody who knows nothing of it.
    again = plan()
    assert again.location == made.location
    assert again.tasks(0)[0]()["before"] == 1
    with pytest.raises(RuntimeError, match="1 of 4 parts are done"):
        again.finish()
    for task in others:
        task()
    again.finish()
    np.testing.assert_array_equal(zarr.open("target.zarr")[...], numbered((80, 60)))


@pytest.mark.parametrize("verify", ["digest", "full"])
def test_what_was_written_is_checked_by_tasks(plan, verify):
    made = plan(verify=verify)
    assert len(made.parts) == 2
    assert carried_out(made)["verified"] is True
    np.testing.assert_array_equal(zarr.open("target.zarr")[...], numbered((80, 60)))


def test_what_was_begun_goes_on_with_the_memory_that_it_had(plan, monkeypatch):
    made = plan(max_mem=None)
    made.begin()
    made.tasks(0)[0]()
    monkeypatch.setattr(zarrange._native, "default_max_mem", lambda: 12_345_678)
    monkeypatch.setattr(zarrange._native, "threads", lambda: 7)
    again = plan(max_mem=None)
    assert again.location == made.location
    carried_out(again)
    assert plan(max_mem=None, overwrite=True).location != made.location


def test_what_was_begun_is_given_up(plan):
    made = plan()
    made.begin()
    made.tasks(0)[0]()
    with pytest.raises(FileExistsError, match="being made by workers"):
        plan(verify="full").begin()
    assert made.give_up()
    assert os.listdir() == ["source.zarr"]
    with pytest.raises(FileNotFoundError, match="given up, or this machine does not reach"):
        made.tasks(0)[0]()
    assert not made.give_up()


def test_a_source_that_changed_is_refused(plan):
    made = plan()
    zarr.create_array("source.zarr", shape=(80, 61), chunks=(2, 61), dtype="f4", overwrite=True)
    with pytest.raises(ValueError, match="other metadata"):
        made.begin()
    assert os.listdir() == ["source.zarr"]


@pytest.mark.parametrize(
    ("stage", "part", "of", "match"), [(1, 0, 1, "no stage 1"), (0, 3, 3, "no share 3 of 3")]
)
def test_tasks_that_are_not_of_the_plan(plan, stage, part, of, match):
    from dataclasses import replace

    made = plan()
    made.begin()
    with pytest.raises(IndexError, match=match):
        replace(made.tasks(0)[0], stage=stage, part=part, of=of)()


def test_an_executor_that_does_nothing_is_told():
    class Idle:
        def prepare_plan(self, job):
            return job.shared()

        def execute_plan(self, plan):
            plan.begin()

    array()
    job = zarrange.rechunk("source.zarr", (80, 2), "1MB", "target.zarr", executor=Idle())
    with pytest.raises(RuntimeError, match="did not carry out"):
        job.execute()
    assert job.give_up()


def test_progress_is_told_by_receipts():
    class Slow:
        def prepare_plan(self, job):
            return job.shared()

        def execute_plan(self, plan):
            plan.begin()
            tasks = plan.tasks(0)
            for task in tasks[:-1]:
                task()
            seen.wait(20)
            tasks[-1]()
            return plan.finish()

    import threading

    seen, told = threading.Event(), []

    def progress(phase, moved):
        told.append((phase, moved))
        if phase is None and moved > 0:
            seen.set()

    job = zarrange.rechunk(array(), None, "1MB", "target.zarr", executor=Slow(), part_size="6kB")
    job.execute(progress=progress)
    assert seen.is_set()
    assert told[0] == ("rechunk", sum(moved for phase, moved in told if phase is None))


@pytest.mark.parametrize("name", ["beam", "lithops", "prefect", "pywren", "ray"])
def test_engines_that_are_not_installed_are_named(name, monkeypatch):
    monkeypatch.setattr(zarrange.executors, "find_spec", lambda needed: None)
    with pytest.raises(ModuleNotFoundError, match=rf"executor='{name}' needs .*zarrange\["):
        zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor=name)


def test_a_dataset_is_known_by_what_it_holds(tmp_path):
    xr = pytest.importorskip("xarray")
    opened = xr.Dataset(
        {"flux": (("object", "epoch"), numbered((8, 10)))}, {"object": [f"o{k}" for k in range(8)]}
    )
    opened.to_zarr("source.zarr", zarr_format=3)

    def named(dataset):
        return zarrange.rechunk(dataset, {"object": 2}, "1MB", "target.zarr", executor="dask")._source_name

    stored = xr.open_zarr("source.zarr", chunks=None)
    assert named(stored) == named(xr.open_zarr("source.zarr", chunks=None))
    assert not stored.flux.variable._in_memory, "to name it reads nothing"
    assert named(opened) == named(opened.copy(deep=True)) != named(opened * 2)
    chunked = opened.chunk(object=3)
    assert named(chunked + 1) == named(chunked + 1) != named(chunked)


class Own:
    """An engine that does all tasks here, but for those after `fails`."""

    def __init__(self, fails=None):
        self.fails = fails

    def prepare_plan(self, job):
        return job.shared()

    def execute_plan(self, plan):
        plan.begin()
        for stage in plan.stages:
            for task in plan.tasks(stage):
                if self.fails == task.part:
                    raise OSError("no worker is left")
                task()
        return plan.finish()


@pytest.mark.parametrize("kind", ["memory", "numpy"])
def test_a_source_in_memory_that_changed_is_another_one(kind):
    shape = (40000, 600)
    source = array({}, shape=shape, chunks=(400, 600)) if kind == "memory" else numbered(shape)
    engine = Own(fails=2)
    job = zarrange.rechunk(source, (800, 600), "20MB", "target.zarr", executor=engine, part_size="1MB")
    with pytest.raises(OSError, match="no worker"):
        job.execute()
    source[...] = numbered(shape) + 7
    engine.fails = None
    with pytest.raises(FileExistsError, match="being made by workers"):
        job.execute()
    assert job.give_up() and not job.give_up()
    np.testing.assert_array_equal(job.execute()[...], numbered(shape) + 7)


def test_the_same_plan_is_begun_anew():
    import shutil

    for way in ("removed", "given up"):
        job = zarrange.rechunk(
            array(f"{way}.zarr"), None, "1MB", "target.zarr", executor=Own(), part_size="6kB"
        )
        if way == "removed":
            job.execute()
            shutil.rmtree("target.zarr")
        else:
            job._executor.fails = 2
            with pytest.raises(OSError, match="no worker"):
                job.execute()
            assert job.give_up()
            job._executor.fails = None
        np.testing.assert_array_equal(job.execute()[...], numbered((80, 60)))
        shutil.rmtree("target.zarr")


def test_a_call_that_was_wrong_is_no_end():
    for executor, wrong in (("dask", {"scheduler": "nonsense"}), ("threads", {"nonsense": 1})):
        job = zarrange.rechunk(
            array(f"{executor}.zarr"), None, "1MB", f"{executor}-target.zarr", executor=executor
        )
        with pytest.raises((ValueError, TypeError)):
            job.execute(**wrong)
        np.testing.assert_array_equal(job.execute()[...], numbered((80, 60)))


def test_what_was_begun_is_given_up_whatever_happened():
    import shutil

    zarr.create_group("target.zarr")
    job = zarrange.rechunk(
        array(), None, "1MB", "target.zarr", executor=Own(1), part_size="6kB", overwrite=True
    )
    with pytest.raises(OSError, match="no worker"):
        job.execute()
    shutil.rmtree("target.zarr")
    shutil.rmtree("source.zarr")
    assert job.give_up()
    assert os.listdir() == []


def test_a_plan_alone_puts_the_array_into_its_group():
    group = zarr.create_group("group.zarr")
    job = zarrange.rechunk(array(), (80, 2), "1MB", group, executor=Own(), array_name="night/flux")
    Own().execute_plan(job.plan)
    assert set(dict(zarr.open_group("group.zarr").members(max_depth=None))) == {"night", "night/flux"}


def test_what_progress_raises_stops_the_workers():
    class Patient(Own):
        def execute_plan(self, plan):
            plan.begin()
            first, *others = plan.tasks(0)
            first()
            for _ in range(600 * patience.pop()):
                others[0]()
                time.sleep(0.05)
            for task in others:
                task()
            return plan.finish()

    patience = [0, 1]

    def progress(phase, moved):
        raise ValueError("enough")

    job = zarrange.rechunk(array(), None, "1MB", "target.zarr", executor=Patient(), part_size="6kB")
    with pytest.raises(ValueError, match="enough"):
        job.execute(progress=progress)
    assert not Path("target.zarr").exists()
    np.testing.assert_array_equal(job.execute()[...], numbered((80, 60)))


def test_what_was_stopped_as_its_task_ended_goes_on(plan, monkeypatch):
    made = plan()
    made.begin()
    first, *others = made.tasks(0)
    first()
    here = zarrange._shared._in_process
    monkeypatch.setattr(here, "at_work", (made.location, here.open[2]))
    made.stop()
    made.begin()
    for task in others:
        task()
    carried_out(made)


def test_to_begin_what_is_finished_is_nothing(plan):
    made = plan()
    carried_out(made)
    assert made.begin() == made.location
    assert sorted(os.listdir()) == ["source.zarr", "target.zarr"]


def test_plans_of_dask_are_what_dask_computes():
    dask = pytest.importorskip("dask")
    job = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor="dask")
    dask.compute(job.plan)
    np.testing.assert_array_equal(zarr.open("target.zarr")[...], numbered((80, 60)))
    job = zarrange.rechunk(array("other.zarr"), (80, 2), "1MB", "processes.zarr", executor="dask")
    with dask.config.set(scheduler="threads"):
        here = job.plan
    with pytest.raises(TypeError, match="cannot be sent to others"):
        dask.compute(here, scheduler="processes")
    with dask.config.set(scheduler="processes"):
        dask.compute(job.plan)
    np.testing.assert_array_equal(zarr.open("processes.zarr")[...], numbered((80, 60)))


def test_a_cluster_in_this_process_does_not_wait_for_itself():
    distributed = pytest.importorskip("distributed")
    import dask.array

    source = dask.array.from_array(numbered((80, 60)), chunks=(9, 60)) + 1
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**options) as client:
        job = zarrange.rechunk(source, (80, 2), "1MB", "target.zarr", executor="dask", part_size="6kB")
        kept = client.compute(job.plan)
        distributed.wait(kept, timeout=60)
        np.testing.assert_array_equal(zarr.open("target.zarr")[...], numbered((80, 60)) + 1)
        # What the cluster remembers is not taken for what is asked now.
        again = zarrange.rechunk(
            source, (80, 2), "1MB", "target.zarr", executor="dask", part_size="6kB", overwrite=True
        )
        np.testing.assert_array_equal(again.execute()[...], numbered((80, 60)) + 1)


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import zarrange

class Slow:
    shape, dtype, chunks = (60, 10), np.dtype("f4"), (1, 10)
    def __dask_tokenize__(self):
        return "slow"
    def __getitem__(self, slices):
        open("at work", "w").close()
        time.sleep(0.1)
        return np.ones(self.shape, self.dtype)[slices]

def interrupts():
    while not os.path.exists("at work"):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    # What is started in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupts).start()
    job = zarrange.rechunk(Slow(), (60, 10), "1MB", "target.zarr", executor="dask", threads=1, part_size=400)
    try:
        job.execute(scheduler="processes", num_workers=2)
    except KeyboardInterrupt as error:
        print("interrupted", error.__notes__)
"""


def test_what_was_interrupted_is_not_published_later():
    Path("interrupted.py").write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "interrupted.py"], check=True, timeout=60, capture_output=True, text=True
    )
    assert "interrupted" in done.stdout and "execute() goes on from there" in done.stdout, done
    assert not Path("target.zarr").exists()
