"""The executor of Prefect."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from zarrange._shared import SharedPlan
from zarrange.executors._engine import EngineExecutor, shares_of_processes

__all__ = ["PrefectExecutor"]


class PrefectExecutor(EngineExecutor):
    """Prefect 3. Its task runner is that of a flow, whose threads are in this process; with one of processes there are workers.

    Parameters
    ----------
    task_runner : prefect.task_runners.TaskRunner, optional
        What runs the tasks of the flow.
    shares, retries
        As those of other engines.
    """

    threads: int | None = None

    def __init__(self, task_runner: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.task_runner: Any = task_runner
        if task_runner is not None and type(task_runner).__name__ != "ThreadPoolTaskRunner":
            self.threads = 1

    def prepare_plan(self, job: Any) -> Any:
        """A `prefect.Flow` without parameters."""
        # By its name, for this module has it, too.
        prefect: Any = import_module("prefect")
        no_cache = import_module("prefect.cache_policies").NO_CACHE

        plan: SharedPlan = job.shared()
        retries = self.retries

        def task(name: str) -> Any:
            return prefect.task(name=name, retries=retries, cache_policy=no_cache, persist_result=False)(
                _called
            )

        def rechunk() -> Any:
            task("begin")(plan.begin)
            for stage in plan.stages:
                # All of them come to an end before one that failed ends the flow: what is done is done.
                done = task(f"stage {stage}").map(plan.tasks(stage, self._shares(plan.parts[stage])))
                done.wait()
                done.result()
            return task("finish")(plan.finish)

        flow: Any = prefect.flow(
            name="zarrange rechunk",
            # It is a template.
            flow_run_name=plan.target.replace("{", "{{").replace("}", "}}"),
            task_runner=self.task_runner,
            persist_result=False,
        )
        return flow(rechunk)

    def _shares(self, parts: int) -> int | None:
        """Tasks of a stage, each of which the server is told of."""
        processes = getattr(self.task_runner, "_max_workers", None)
        if self.shares is not None or self.threads is None or not isinstance(processes, int):
            return self.shares
        return shares_of_processes(parts, processes)

    def execute_plan(self, plan: Any, **kwargs: Any) -> Any:
        """Runs the flow; arguments are those of a call of it, such as ``return_state``."""
        return plan(**kwargs)


def _called(call: Any) -> Any:
    return call()
