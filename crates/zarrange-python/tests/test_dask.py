"""The executor of dask: what rechunker's tests assert of it, and what it does not do."""

import concurrent.futures
import os

import dask
import dask.array
import numpy as np
import pytest
import zarr
from conftest import array, numbered
from dask.delayed import Delayed
from dask.diagnostics import ProgressBar

import zarrange

SCHEDULERS = [None, "threads", "single-threaded", "sync"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.parametrize("source", [array, lambda: dask.array.from_array(numbered((80, 60)), chunks=(2, 60))])
def test_schedulers_of_this_process(source, scheduler, configured):
    rechunked = zarrange.rechunk(source(), (80, 2), "1MB", "target.zarr", executor="dask")
    if configured:
        with dask.config.set(scheduler=scheduler):
            result = rechunked.execute()
    else:
        result = rechunked.execute(scheduler=scheduler)
    assert result.chunks == (80, 2)
    np.testing.assert_array_equal(result[...], numbered((80, 60)))
    assert rechunked.report["target_chunks"] == 30


def test_an_executor_of_concurrent_futures_is_a_scheduler():
    rechunked = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor="DASK")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(rechunked.execute(scheduler=pool)[...], numbered((80, 60)))


def test_a_group_is_carried_out_twice():
    group = zarr.create_group("source.zarr")
    for name in ("a", "foo/bar/b"):
        group.create_array(name, shape=(5, 10, 20), chunks=(1, 10, 20), dtype="f4")[...] = numbered(
            (5, 10, 20)
        )
    chunks = {"a": (5, 10, 4), "foo/bar/b": None}
    rechunked = zarrange.rechunk(group, chunks, "1MB", "target.zarr", executor="dask", overwrite=True)
    for _ in range(2):
        result = rechunked.execute()
        assert result["a"].chunks == (5, 10, 4)
        np.testing.assert_array_equal(result["foo/bar/b"][...], numbered((5, 10, 20)))


def test_bars_of_dask_see_it(capsys):
    rechunked = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor="dask")
    with ProgressBar():
        rechunked.execute()
    assert "100%" in capsys.readouterr().out


def test_the_plan_is_a_list_of_delayed():
    executor, ran = zarrange.executors.DaskExecutor(), []

    class Job:
        def execute(self):
            ran.append(self)

    (plan,) = executor.prepare_plan(Job())
    (other,) = executor.prepare_plan(Job())
    assert isinstance(plan, Delayed)
    assert len(dict(plan.dask)) < 20
    assert plan.key != other.key
    executor.execute_plan([plan, other])
    assert len(ran) == 2


@pytest.mark.parametrize(
    ("config", "threads"),
    [({}, None), ({"num_workers": 3}, 3), ({"pool": concurrent.futures.ThreadPoolExecutor(5)}, 5)],
)
def test_threads_are_those_of_the_pool(config, threads):
    executor = zarrange.executors.DaskExecutor()
    with dask.config.set(config):
        assert executor.threads == threads
        asked = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor=executor)._request[
            "threads"
        ]
        own = zarrange.rechunk("source.zarr", (80, 2), "1MB", "target.zarr", executor=executor, threads=2)
    assert asked == (threads or zarrange._native.threads())
    assert own._request["threads"] == 2


@pytest.mark.parametrize(
    "scheduler", ["processes", "multiprocessing", concurrent.futures.ProcessPoolExecutor]
)
@pytest.mark.parametrize("configured", [False, True])
def test_other_processes_do_tasks(scheduler, configured, tmp_path):
    rechunked = zarrange.rechunk(array(), (80, 2), "1MB", "target.zarr", executor="dask", part_size="8kB")
    scheduler = scheduler() if isinstance(scheduler, type) else scheduler
    with dask.config.set(scheduler=scheduler if configured else None):
        result = rechunked.execute(**({} if configured else {"scheduler": scheduler}))
    np.testing.assert_array_equal(result[...], numbered((80, 60)))
    assert sorted(os.listdir(tmp_path)) == ["source.zarr", "target.zarr"]


def test_what_goes_wrong_in_a_task_arrives(tmp_path):
    array()
    (tmp_path / "source.zarr/c/3/0").write_bytes(b"no chunk")
    with pytest.raises(zarrange.CorruptChunkError, match="source.zarr, chunk c/3/0"):
        zarrange.rechunk("source.zarr", (80, 2), "1MB", "target.zarr", executor="dask").execute()
    assert not (tmp_path / "target.zarr").exists()


@pytest.mark.parametrize("order", [1, -1])
def test_chunks_of_nothing_are_passed_over(order):
    values = numbered((7, 6))
    source = dask.array.from_array(values, chunks=((2, 1, 0, 2, 2), (4, 2)))[:, ::order]
    assert 0 in source.chunks[0]
    result = zarrange.rechunk(source, (7, 1), "1MB", "target.zarr").execute()
    np.testing.assert_array_equal(result[...], values[:, ::order])


def test_each_task_is_carried_out_for_the_chunks_that_need_it_only():
    done = []
    source = dask.array.from_array(numbered((80, 60)), chunks=(2, 60))
    source = source.map_blocks(
        lambda block: (done.append(block[0, 0]), block)[1], meta=np.empty((0, 0), "f4")
    )
    zarrange.rechunk(source, (80, 2), "1MB", "target.zarr").execute()
    assert len(done) == len(set(done)) == 40
