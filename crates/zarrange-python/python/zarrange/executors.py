"""What carries out a plan.

An executor has two methods, as those of rechunker: ``prepare_plan`` makes of a job what the executor's engine runs, and ``execute_plan`` runs that.
Any object that has them will do.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

__all__ = ["DaskExecutor", "Executor", "PythonExecutor", "ThreadsExecutor"]


@runtime_checkable
class Executor(Protocol):
    """Carries out a plan."""

    def prepare_plan(self, job: Any) -> Any:
        """Makes a plan of a job. The job has ``execute()``, which does all of it; it is to be called once, in this process."""

    def execute_plan(self, plan: Any, **kwargs: Any) -> Any:
        """Runs a plan, with the keyword arguments of `Rechunked.execute`. What it returns is not looked at."""


class ThreadsExecutor:
    """The engine of zarrange with a thread for each processor, or as many as `rechunk` is told."""

    #: Threads of the engine where `rechunk` is told of none; None for all processors.
    threads: int | None = None

    def prepare_plan(self, job: Any) -> Any:
        return job

    def execute_plan(self, plan: Any) -> None:
        plan.execute()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PythonExecutor(ThreadsExecutor):
    """The same with one thread: simple to follow."""

    threads: int | None = 1


class DaskExecutor:
    """A scheduler of dask that works in this process: threads, or the calling thread alone.

    The job is one task of dask: its parts share memory that is counted, which the tasks of a scheduler do not. The engine in it has as many threads as
    dask's pool has workers, unless `rechunk` is told how many.
    """

    @property
    def threads(self) -> int | None:
        """Workers of dask's pool."""
        import dask

        pool = dask.config.get("pool", None)
        return getattr(pool, "_max_workers", None) or dask.config.get("num_workers", None)

    def prepare_plan(self, job: Any) -> Any:
        """The job as a list of one `dask.delayed.Delayed`."""
        import dask

        return [dask.delayed(job.execute, pure=False, traverse=False)()]

    def execute_plan(self, plan: Any, **kwargs: Any) -> None:
        """Computes the plan; `kwargs` are those of `dask.compute`.

        Raises
        ------
        NotImplementedError
            If the scheduler works in other processes.
        """
        import dask

        from zarrange import _stopping

        _check_in_process(kwargs.get("scheduler"))
        # Not here: dask waits for its tasks without looking at signals, and one that comes just before it begins to would be seen when all is done.
        _stopping.computed(lambda: False, lambda: dask.compute(*plan, **kwargs))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _check_in_process(scheduler: Any) -> None:
    from concurrent.futures import ProcessPoolExecutor

    from dask import config, multiprocessing
    from dask.base import get_scheduler

    scheduler = config.get("scheduler", None) if scheduler is None else scheduler
    found = get_scheduler(scheduler=scheduler)
    client = getattr(found, "__self__", None)
    if (
        found is multiprocessing.get
        or isinstance(scheduler, ProcessPoolExecutor)
        or type(client).__module__.split(".")[0] == "distributed"
    ):
        raise NotImplementedError(
            f"scheduler={scheduler!r} is {client or 'one of processes'}: executor='dask' works in this process only, as yet; give scheduler='threads' or "
            "'single-threaded' to execute, or use executor='threads'"
        )


_NAMED = {"dask": DaskExecutor, "python": PythonExecutor, "threads": ThreadsExecutor}


def executor_of(given: Any) -> Any:
    """The executor of a name, or the object itself.

    Raises
    ------
    ValueError
        If there is none of that name.
    TypeError
        If it is neither a name nor an executor.
    """
    if isinstance(given, str):
        try:
            executor = _NAMED[given.lower()]
        except KeyError:
            raise ValueError(f"unrecognized executor {given!r}: known are {', '.join(_NAMED)}") from None
        if executor is DaskExecutor and not find_spec("dask"):
            raise ModuleNotFoundError("executor='dask' needs dask, which is not installed: pip install dask")
        return executor()
    if isinstance(given, type) or not isinstance(given, Executor):
        raise TypeError(
            f"executor={given!r} is neither a name nor an object with prepare_plan and execute_plan"
        )
    return given
