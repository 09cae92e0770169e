"""A bar on long work, where somebody can see it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

#: Gets the name of a phase with its bytes when it begins, then None and bytes that were moved. It is called from several threads.
Told = Callable[["str | None", int], None]


@contextlib.contextmanager
def shown(progress: bool | Told | None) -> Iterator[Told | None]:
    """What is told how far a run is: `progress` itself, a bar, or nothing."""
    if callable(progress):
        yield progress
        return
    if progress is False or (progress is None and not _is_seen()):
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError:
        if progress:
            raise ModuleNotFoundError(
                "progress=True shows a bar with tqdm, which is not installed: pip install tqdm"
            ) from None
        yield None
        return
    bar, lock = tqdm(unit="B", unit_scale=True, leave=False), threading.Lock()

    def told(phase: str | None, bytes_: int) -> None:
        with lock:
            if phase is None:
                bar.update(bytes_)
            else:
                bar.reset(total=bytes_)
                bar.set_description(phase)

    try:
        yield told
    finally:
        bar.close()


def _is_seen() -> bool:
    """Whether this is a notebook or a terminal where nothing else is printed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or (hasattr(sys, "ps1") and sys.stderr.isatty())
