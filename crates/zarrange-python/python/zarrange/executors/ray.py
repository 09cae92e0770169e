"""The executor of Ray."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from zarrange._shared import SharedPlan
from zarrange.executors._engine import EngineExecutor

__all__ = ["RayExecutor"]


class RayExecutor(EngineExecutor):
    """Ray: the cluster that this process is connected to, or one on this machine. A task has as many processors as threads.

    Parameters
    ----------
    remote_options : dict, optional
        Options of ``ray.remote`` for all tasks, such as ``{"resources": {"disk": 1}}``.
    shares, retries
        As those of other engines.
    """

    def __init__(self, remote_options: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.remote_options: dict[str, Any] = remote_options or {}

    def prepare_plan(self, job: Any) -> Callable[[], Any]:
        """A function without arguments."""
        plan: SharedPlan = job.shared()
        return lambda: self._carried_out(plan)

    def execute_plan(self, plan: Callable[[], Any]) -> Any:
        """Calls the function."""
        return plan()

    def _carried_out(self, plan: SharedPlan) -> Any:
        # By its name, for this module has it, too.
        ray: Any = import_module("ray")

        if not ray.is_initialized():
            ray.init()
        options = {"num_cpus": plan.threads, "max_retries": self.retries, "retry_exceptions": True}
        options |= self.remote_options

        def done(name: str, calls: list[Any]) -> list[Any]:
            remote = ray.remote(_called).options(name=f"zarrange {name}", **options)
            refs = [remote.remote(one) for one in calls]
            try:
                return list(ray.get(refs))
            except BaseException:
                for ref in refs:
                    ray.cancel(ref)
                raise

        done("begin", [plan.begin])
        for stage in plan.stages:
            done(f"stage {stage}", plan.tasks(stage, self.shares))
        return done("finish", [plan.finish])[0]


def _called(call: Any) -> Any:
    return call()
