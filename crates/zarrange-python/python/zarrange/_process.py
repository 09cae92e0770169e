"""What is known of this process: forks, and loops that wait for what is done in them."""

from __future__ import annotations

import os
from typing import Any

from zarrange import _native

_forked = False


def _note() -> None:
    global _forked
    _forked = True
    _native.note_fork()


os.register_at_fork(after_in_child=_note)


def threads(asked: int | None) -> int:
    """The threads that are asked for; None is all processors."""
    if asked is None:
        return _native.threads()
    if asked < 1:
        raise ValueError(f"threads={asked!r} is no number of threads: 1 or more, or None for all processors")
    return asked


def backend(asked: str) -> str:
    """The backend that is asked for; after a fork one without rings, which the parent has.

    Raises
    ------
    RuntimeError
        For rings after a fork: they are still those of the parent.
    """
    if asked == "io_uring" and _forked:
        raise RuntimeError(
            "backend='io_uring' is not possible in a process that was forked: use 'std', or 'auto'"
        )
    return "std" if asked == "auto" and _forked else asked


def opener(asked: str) -> Any:
    """The backend that is asked for.

    Raises
    ------
    ValueError
        If there is none of that name.
    RuntimeError
        As `backend`.
    """
    return _native.Backend(backend(asked))


def check_fork() -> None:
    """Raises a RuntimeError in a process that was forked, where nothing can be chosen."""
    if _forked:
        raise RuntimeError(
            "this is not possible in a process that was forked: start processes with multiprocessing's 'spawn'"
        )


def check_loop() -> None:
    """Raises a RuntimeError on the loop of zarr, which would wait for itself."""
    import asyncio

    from zarr.core import sync

    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return
    if running is sync.loop[0]:
        raise RuntimeError(
            "zarrange waits for the event loop of zarr, and was called on it: use asyncio.to_thread"
        )
