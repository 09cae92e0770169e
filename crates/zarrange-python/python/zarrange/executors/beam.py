"""The executor of Apache Beam."""

from __future__ import annotations

from typing import Any

from zarrange._shared import SharedPlan, Task
from zarrange.executors._engine import EngineExecutor

__all__ = ["BeamExecutor"]

#: The namespace of counters of the job.
_COUNTERS = "zarrange"


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
                | "finish" >> beam.Map(_called, after=beam.pvalue.AsIter(done))
            )

        return "zarrange" >> beam.ptransform_fn(rechunk)()

    def execute_plan(self, plan: Any, **kwargs: Any) -> dict[str, Any]:
        """Runs the plan in a pipeline; arguments are those of `beam.Pipeline`: ``runner``, ``options`` or ``argv``."""
        import apache_beam as beam

        pipeline = beam.Pipeline(**kwargs)
        _ = pipeline | plan
        result = pipeline.run()
        result.wait_until_finish()
        counters = result.metrics().query()["counters"]
        counts: dict[str, int] = {}
        # Each stage has its own.
        for counter in counters:
            if counter.key.metric.namespace == _COUNTERS:
                name = counter.key.metric.name
                counts[name] = counts.get(name, 0) + counter.result
        return {"counts": counts}


def _done(task: Task, after: Any) -> int:
    """Does a task; what it counts is added to the counters of the job."""
    from apache_beam.metrics import Metrics

    told = task()
    parts: int = told["parts"]
    for name, value in {"parts": parts, **told["counts"]}.items():
        Metrics.counter(_COUNTERS, name).inc(value)
    return parts


def _called(call: Any, after: Any = ()) -> Any:
    return call()
