"""Executors that work in this process."""

from __future__ import annotations

from typing import Any

__all__ = ["PythonExecutor", "ThreadsExecutor"]


class ThreadsExecutor:
    """The engine of zarrange with a thread for each processor, or as many as `rechunk` is told."""

    #: Threads of the engine where `rechunk` is told of none; None for all processors.
    threads: int | None = None

    def prepare_plan(self, job: Any) -> Any:
        """The job itself."""
        return job

    def execute_plan(self, plan: Any) -> None:
        plan.execute()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PythonExecutor(ThreadsExecutor):
    """The same with one thread: simple to follow."""

    threads: int | None = 1
