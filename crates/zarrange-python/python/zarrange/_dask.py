"""Chunks of dask arrays: one graph for all of them, of which the tasks of a few chunks are carried out at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from zarrange._stopping import pool


class Chunks:
    """The chunks of a dask array, by their numbers along each dimension; those of nothing are not counted."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self._numbers = [[k for k, n in enumerate(lengths) if n > 0] for lengths in array.chunks]
        self._lock = threading.Lock()
        self._made: tuple[str, dict[Any, Any]] | None = None

    def computed(self, stopped: Callable[[], bool], chunks: list[tuple[int, ...]]) -> Sequence[Any]:
        """The elements of `chunks`, by the scheduler that dask is configured to take."""
        from dask.optimization import cull

        name, graph = self._graph()
        keys = [
            (name, *(numbers[k] for numbers, k in zip(self._numbers, chunk, strict=True))) for chunk in chunks
        ]
        scheduler = _scheduler(self._array)
        tasks, _ = cull(graph, keys)
        return scheduler(tasks, keys, **_options(scheduler, stopped))

    def _graph(self) -> tuple[str, dict[Any, Any]]:
        """The tasks of all chunks. Making them for every few chunks would take longer than most of them."""
        import dask

        with self._lock:
            if self._made is None:
                (optimized,) = dask.optimize(self._array)
                self._made = optimized.name, dict(optimized.__dask_graph__())
            return self._made


#: Tasks of plans that are at work in this process.
_tasks = 0


@contextlib.contextmanager
def in_task() -> Iterator[None]:
    """While a task of a plan is at work chunks are computed here: a cluster may wait for that very task."""
    global _tasks
    _tasks += 1
    try:
        yield
    finally:
        _tasks -= 1


def _scheduler(array: Any) -> Any:
    """What carries out the tasks of `array`: what dask is configured to take, or what it takes for arrays."""
    from dask import threaded
    from dask.base import get_scheduler

    return threaded.get if _tasks else get_scheduler(collections=[array])


def _options(scheduler: Any, stopped: Callable[[], bool]) -> dict[str, Any]:
    """What a scheduler is told."""
    import dask
    import dask.local
    import dask.system
    from dask import threaded

    def check(key: Any, graph: Any, state: Any) -> None:
        if stopped():
            raise InterruptedError("stopped")

    options: dict[str, Any] = {}
    if scheduler in (threaded.get, dask.local.get_sync):
        # Tasks that have not begun do not begin: it is called before each of them.
        options["callbacks"] = [(None, None, check, None, None)]
    if scheduler is threaded.get and dask.config.get("pool", None) is None:
        # By itself it has one for each thread that asks, and those of the engine come and go.
        workers = dask.config.get("num_workers", None) or dask.system.CPU_COUNT
        options["pool"] = pool("dask", workers)
    return options


def collections(stopped: Callable[[], bool], some: list[Any]) -> Sequence[Any]:
    """Collections of dask as their values."""
    import dask

    scheduler = _scheduler(some[0])
    return dask.compute(*some, scheduler=scheduler, **_options(scheduler, stopped))
