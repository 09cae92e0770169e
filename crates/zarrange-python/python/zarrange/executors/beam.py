"""The executor of Apache Beam."""

from __future__ import annotations

from typing import Any

from zarrange._shared import SharedPlan, Task
from zarrange.executors._engine import EngineExecutor

__all__ = ["BeamExecutor"]

#: Namespaces of counters: of all parts together, and of those that tasks of this pipeline have done.
_IN_ALL, _BY_TASKS = "zarrange", "zarrange tasks"


class BeamExecutor(EngineExecutor):
    """Apache Beam, with any runner. How often a task is called again is the runner's matter.

    Its plans are transforms for the beginning of a pipeline: ``pipeline | rechunked.plan``.
    """

    def prepare_plan(self, job: Any) -> Any:
        """A `PTransform`: stages of tasks, each after all of the one before, whose results are its side input."""
        import apache_beam as beam

        plan: SharedPlan = job.shared()
        shares = self.shares

        def rechunk(pipeline: Any) -> Any:
            done = pipeline | "plan" >> beam.Create([plan.begin]) | "begin" >> beam.Map(_called)
            for stage in plan.stages:
                done = (
                    pipeline
                    | f"parts of stage {stage}" >> beam.Create(plan.tasks(stage, shares))
                    | f"spread stage {stage}" >> beam.Reshuffle()
                    | f"stage {stage}" >> beam.Map(_done, after=beam.pvalue.AsIter(done))
                )
            return (
                pipeline
                | "target" >> beam.Create([plan.finish])
                | "finish" >> beam.Map(_finished, after=beam.pvalue.AsIter(done))
            )

        return f"zarrange {plan.target}" >> beam.ptransform_fn(rechunk)()

    def execute_plan(self, plan: Any, **kwargs: Any) -> dict[str, Any]:
        """Runs the plan in a pipeline; arguments are those of `beam.Pipeline`: ``runner``, ``options`` or ``argv``."""
        import apache_beam as beam

        pipeline = beam.Pipeline(**kwargs)
        _ = pipeline | plan
        result = pipeline.run()
        result.wait_until_finish()
        counted: dict[str, dict[str, int]] = {_IN_ALL: {}, _BY_TASKS: {}}
        # Each stage has its own.
        for counter in result.metrics().query()["counters"]:
            name, counts = counter.key.metric.name, counted.get(counter.key.metric.namespace, {})
            counts[name] = counts.get(name, 0) + counter.result
        # Some runners do not report what the last step counts. Tasks know nothing of what was done before.
        return {"counts": counted[_IN_ALL] or counted[_BY_TASKS]}


def _done(task: Task, after: Any) -> int:
    """Does a task; its parts and what it counts are counters of the job."""
    from apache_beam.metrics import Metrics

    told = task()
    parts: int = told["parts"]
    for name, value in {"parts": parts, **told["counts"]}.items():
        Metrics.counter(_BY_TASKS, name).inc(value)
    return parts


def _called(call: Any) -> Any:
    return call()


def _finished(finish: Any, after: Any) -> None:
    """Finishes; what was counted in all parts, also those that were done before, are counters of the job."""
    from apache_beam.metrics import Metrics

    for name, value in finish().get("counts", {}).items():
        Metrics.counter(_IN_ALL, name).inc(value)
