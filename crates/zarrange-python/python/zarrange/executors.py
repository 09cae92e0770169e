"""What carries out a plan.

An executor has two methods, as those of rechunker: ``prepare_plan`` makes of a job what the executor's engine runs, and ``execute_plan`` runs that.
Any object that has them will do.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

__all__ = ["Executor", "PythonExecutor", "ThreadsExecutor"]


@runtime_checkable
class Executor(Protocol):
    """Carries out a plan."""

    def prepare_plan(self, job: Any) -> Any:
        """Makes a plan of a job. The job has ``execute()``, which does all of it; it is to be called once, in this process."""

    def execute_plan(self, plan: Any, **kwargs: Any) -> Any:
        """Runs a plan, with the keyword arguments of `Rechunked.execute`. What it returns is not looked at."""


class ThreadsExecutor:
    """The engine of zarrange with a thread for each processor, or as many as `rechunk` is told."""

    #: Threads of the engine; None for as many as were asked for.
    threads: int | None = None

    def prepare_plan(self, job: Any) -> Any:
        return job

    def execute_plan(self, plan: Any) -> None:
        plan.execute()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PythonExecutor(ThreadsExecutor):
    """The same with one thread: simple to follow."""

    threads = 1


_NAMED = {"threads": ThreadsExecutor, "python": PythonExecutor}


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
            return _NAMED[given.lower()]()
        except KeyError:
            raise ValueError(f"unrecognized executor {given!r}: known are {', '.join(_NAMED)}") from None
    if isinstance(given, type) or not isinstance(given, Executor):
        raise TypeError(
            f"executor={given!r} is neither a name nor an object with prepare_plan and execute_plan"
        )
    return given
