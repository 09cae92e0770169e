"""The executor of Lithops."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from zarrange._shared import SharedPlan
from zarrange.executors._engine import FEW, EngineExecutor, shares_of_processes

__all__ = ["LithopsExecutor"]


class LithopsExecutor(EngineExecutor):
    """Lithops, the successor of PyWren. Its functions must reach the folders of source and target.

    Parameters
    ----------
    function_executor : lithops.FunctionExecutor, optional
        What calls functions; without it processes of this machine.
    shares, retries
        As those of other engines.
    """

    def __init__(self, function_executor: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.function_executor: Any = function_executor

    def _shares(self, parts: int, executor: Any) -> int | None:
        """Tasks of a stage. On this machine each starts a process; elsewhere it may, so that about four small parts are one task."""
        if self.shares is not None:
            return self.shares
        if executor.config["lithops"]["backend"] == "localhost":
            return shares_of_processes(
                parts, executor.config["localhost"].get("worker_processes", os.cpu_count() or 1)
            )
        return max(4, parts // 4) if parts <= FEW else None

    def prepare_plan(self, job: Any) -> Callable[[], Any]:
        """A function without arguments."""
        plan: SharedPlan = job.shared()

        def carry_out() -> Any:
            # By its name, for this module has it, too.
            lithops: Any = import_module("lithops")

            if self.function_executor is not None:
                return self._carried_out(plan, self.function_executor)
            with lithops.LocalhostExecutor(runtime=sys.executable) as executor:
                return self._carried_out(plan, executor)

        return carry_out

    def execute_plan(self, plan: Callable[[], Any]) -> Any:
        """Calls the function."""
        return plan()

    def _carried_out(self, plan: SharedPlan, executor: Any) -> Any:
        RetryingFunctionExecutor: Any = import_module("lithops.retries").RetryingFunctionExecutor

        retrying = (
            executor if isinstance(executor, RetryingFunctionExecutor) else RetryingFunctionExecutor(executor)
        )
        plan.begin()
        for stage in plan.stages:
            calls = [(task,) for task in plan.tasks(stage, self._shares(plan.parts[stage], executor))]
            futures = retrying.map(_called, calls, retries=self.retries)
            done, _ = retrying.wait(futures, throw_except=False)
            for future in done:
                future.result()
            retrying.executor.clean(clean_cloudobjects=False)
        return plan.finish()

    def __reduce__(self) -> Any:
        if self.function_executor is not None:
            raise TypeError("a function executor of Lithops lives in one process: pickle the job without one")
        return super().__reduce__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.function_executor is None else self.function_executor!r})"


def _called(call: Any) -> Any:
    return call()
