"""The executor of dask."""

from __future__ import annotations

import sys
import uuid
import weakref
from typing import Any

from zarrange._shared import SharedPlan, Task
from zarrange.executors._engine import EngineExecutor

__all__ = ["DaskExecutor"]

#: Tasks of a stage for each worker of a cluster: so that one that is slow holds up little.
_SHARES_PER_WORKER = 4

#: Tasks of a stage at least: a cluster may grow.
_SHARES_LEAST = 64


#: The jobs of plans for this process, by their keys: what `execute_plan` is told may ask for another plan.
_jobs: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class DaskExecutor(EngineExecutor):
    """Any scheduler of dask.

    One that works in this process (threads, or the calling thread alone) does the job as one task: its parts share memory that is counted. Others,
    a cluster of `distributed` or a pool of processes, get tasks. A worker does one task at a time, with as many threads as it has.

    Parameters
    ----------
    shares, retries
        As those of other engines. Pools of processes call nothing again.
    """

    @property
    def threads(self) -> int | None:  # type: ignore[override]
        """Threads of a worker of the cluster, or workers of dask's pool."""
        import dask

        client = _client(None)
        if client is not None:
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
            return min((worker["nthreads"] for worker in workers), default=1)
        if not _works_here(None):
            return 1
        pool = dask.config.get("pool", None)
        return getattr(pool, "_max_workers", None) or dask.config.get("num_workers", None)

    def prepare_plan(self, job: Any) -> Any:
        """The job as a list of one `dask.delayed.Delayed`."""
        import dask

        if not _works_here(None):
            return [self._graph(job.shared(), _client(None))]
        whole = dask.delayed(job.execute, pure=False, traverse=False)()
        _jobs[whole.key] = job
        return [whole]

    def execute_plan(self, plan: Any, *, scheduler: Any = None, **kwargs: Any) -> Any:
        """Computes the plan; arguments are those of `dask.compute`, with a cluster those of `Client.compute`."""
        import dask

        from zarrange import _stopping

        client = _client(scheduler)
        if not _works_here(scheduler):
            jobs = [_jobs.get(whole.key) for whole in plan]
            plan = [
                given if job is None else self._graph(job.shared(), client)
                for given, job in zip(plan, jobs, strict=True)
            ]
        if client is None:
            # dask's own pool would get six tasks at once, which may be all that there are for the second process, too.
            if not _works_here(scheduler):
                kwargs = {"chunksize": 1, **kwargs}
            # Not here: dask waits for its tasks without looking at signals, and one that comes just before it begins to would be seen when all is done.
            return _stopping.computed(
                lambda: False, lambda: dask.compute(*plan, scheduler=scheduler, **kwargs)
            )[-1]
        futures = client.compute(list(plan), **{"retries": self.retries, **kwargs})
        try:
            return client.gather(futures)[-1]
        except BaseException:
            client.cancel(futures, force=True)
            raise

    def _graph(self, plan: SharedPlan, client: Any) -> Any:
        """Stages of tasks, each after all of the one before."""
        import dask

        shares = self.shares
        if shares is None and client is not None:
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            shares = max(_SHARES_LEAST, _SHARES_PER_WORKER * workers)
        # What was done for another plan is not what is done for this.
        name = f"zarrange-{uuid.uuid4().hex}"

        def delayed(call: Any, key: str, *after: Any) -> Any:
            made = dask.delayed(_called, pure=False, traverse=False)
            return made(call, *after, dask_key_name=f"{key}-{name}")

        done = delayed(plan.begin, "begin")
        for stage in plan.stages:
            tasks = [delayed(task, f"stage-{stage}-{task.part}", done) for task in plan.tasks(stage, shares)]
            done = dask.delayed(_all, pure=False)(tasks, dask_key_name=f"stage-{stage}-done-{name}")
        return delayed(plan.finish, "finish", done)


def _called(call: Task | Any, *after: Any) -> Any:
    return call()


def _all(done: list[Any]) -> int:
    return len(done)


def _client(scheduler: Any) -> Any:
    """The client of the cluster that a scheduler is, if it is one."""
    found = _scheduler(scheduler)
    client = getattr(found, "__self__", None)
    distributed = sys.modules.get("distributed")
    return client if distributed is not None and isinstance(client, distributed.Client) else None


def _scheduler(scheduler: Any) -> Any:
    from dask import config
    from dask.base import get_scheduler

    scheduler = config.get("scheduler", None) if scheduler is None else scheduler
    return get_scheduler(scheduler=scheduler)


def _works_here(scheduler: Any) -> bool:
    """Whether a scheduler works in this process."""
    from concurrent.futures import ProcessPoolExecutor

    from dask import config, multiprocessing

    given = config.get("scheduler", None) if scheduler is None else scheduler
    found = _scheduler(scheduler)
    return not (
        found is multiprocessing.get
        or isinstance(given, ProcessPoolExecutor)
        or _client(scheduler) is not None
    )
