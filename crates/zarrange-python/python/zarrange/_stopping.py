"""Waiting for what others do, for as long as somebody wants it: Ctrl-C is not to wait for a store or a chunk that takes its time.

What is not waited for any more is cancelled where that is possible. Otherwise it comes to its end in the background, and is dropped there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from zarrange import _native

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")

#: How soon it is noticed that nobody waits any more, in seconds.
LOOK = 0.05

#: Computations that may go on at once, those included that nobody waits for any more.
_COMPUTATIONS = 256


@contextlib.contextmanager
def stopped_by(stop: _native.Stop, *places: Any) -> Iterator[None]:
    """Has the stores in Python of `places` wait no longer than until `stop` is requested. Afterwards nothing of it is kept."""
    callbacks = [place[0].callbacks for place in places if isinstance(place, tuple)]
    for store in callbacks:
        store.stopped = lambda: stop.requested
    try:
        yield
    finally:
        for store in callbacks:
            vars(store).pop("stopped", None)


def computed(stopped: Callable[[], bool], call: Callable[..., T], *args: Any) -> T:
    """What `call` returns.

    Raises
    ------
    InterruptedError
        Once `stopped` says so.
    """
    return _result(pool("computing", _COMPUTATIONS).submit(call, *args), stopped)


def awaited(stopped: Callable[[], bool], coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, on the loop of zarr. Raises as `computed`."""
    import asyncio

    from zarr.core.sync import _get_loop

    return _result(asyncio.run_coroutine_threadsafe(coroutine, _get_loop()), stopped)


def _result(future: Future[T], stopped: Callable[[], bool]) -> T:
    from concurrent.futures import wait

    while not wait([future], LOOK).done:
        if stopped():
            future.cancel()
            raise InterruptedError("stopped")
    return future.result()


#: By process, for threads stay behind in a fork, and by size.
_pools: dict[tuple[int, str, int], ThreadPoolExecutor] = {}


def pool(name: str, workers: int) -> ThreadPoolExecutor:
    """Threads of this process, made once."""
    from concurrent.futures import ThreadPoolExecutor

    key = os.getpid(), name, workers
    found = _pools.get(key)
    # Of two that are made at once, one is never used, and has no threads.
    return found or _pools.setdefault(key, ThreadPoolExecutor(workers, f"zarrange-{name}"))
