"""What executors of engines have in common."""

from __future__ import annotations

#: How often an engine calls a task again that failed.
RETRIES = 3

#: Parts up to this many are smaller than those of large arrays.
FEW = 32


def shares_of_processes(parts: int, processes: int) -> int:
    """Tasks of a stage for processes of this machine, where a task costs as much as a small part: of a few parts each process gets one share, and
    of many some, for they may not be done at the same time."""
    return processes if parts <= FEW else 4 * processes


class EngineExecutor:
    """An executor whose tasks go to workers.

    Parameters
    ----------
    shares : int, optional
        Tasks of a stage, at most. Without it there are as many as its workers can share well, where that is known, or one for each part up to 1000.
    retries : int
        How often a task that failed is called again.
    """

    #: Threads of a worker where `rechunk` is told of none; None for all processors.
    threads: int | None = 1

    def __init__(self, *, shares: int | None = None, retries: int = RETRIES) -> None:
        if shares is not None and shares < 1:
            raise ValueError(f"shares={shares} is no number of tasks: 1 or more")
        self.shares = shares
        self.retries = retries

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
