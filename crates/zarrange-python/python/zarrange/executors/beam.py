"""The executor of Apache Beam."""

from __future__ import annotations

from typing import Any

import apache_beam as beam

from zarrange._shared import SharedPlan, Task
from zarrange.executors._engine import EngineExecutor

__all__ = ["BeamExecutor"]

#: The namespace of counters of the job.
_COUNTERS = "zarrange"


class BeamExecutor(EngineExecutor):
    """Apache Beam, with any runner. How often a task is called again is the runner's matter.

    Its plans are transforms for the beginning of a pipeline: ``pipeline | rechunked.plan``.
    """

    def prepare_plan(self, job: Any) -> beam.PTransform:
        """A `PTransform`."""
        return _Rechunk(job.shared(), self.shares)

    def execute_plan(self, plan: beam.PTransform, **kwargs: Any) -> dict[str, Any]:
        """Runs the plan in a pipeline; arguments are those of `beam.Pipeline`: ``runner``, ``options`` or ``argv``."""
        pipeline = beam.Pipeline(**kwargs)
        pipeline.apply(plan)
        result = pipeline.run()
        result.wait_until_finish()
        counters = result.metrics().query()["counters"]
        ours = [counter for counter in counters if counter.key.metric.namespace == _COUNTERS]
        counts: dict[str, int] = {}
        # Each stage has its own.
        for counter in ours:
            name = counter.key.metric.name
            counts[name] = counts.get(name, 0) + counter.result
        return {"counts": counts}


class _Rechunk(beam.PTransform):  # type: ignore[misc]
    """Stages of tasks, each after all of the one before, whose results are its side input."""

    def __init__(self, plan: SharedPlan, shares: int | None) -> None:
        super().__init__(label="zarrange")
        self._plan = plan
        self._shares = shares

    def expand(self, pipeline: Any) -> Any:
        plan = self._plan
        done = pipeline | "plan" >> beam.Create([plan.begin]) | "begin" >> beam.Map(_called)
        for stage in plan.stages:
            done = (
                pipeline
                | f"parts of stage {stage}" >> beam.Create(plan.tasks(stage, self._shares))
                | f"spread stage {stage}" >> beam.Reshuffle()
                | f"stage {stage}" >> beam.ParDo(_Work(), after=beam.pvalue.AsIter(done))
            )
        return (
            pipeline
            | "target" >> beam.Create([plan.finish])
            | "finish" >> beam.Map(_called, after=beam.pvalue.AsIter(done))
        )


class _Work(beam.DoFn):  # type: ignore[misc]
    """Does a task; its counters are those of the job."""

    def process(self, task: Task, after: Any) -> Any:
        told = task()
        counted = {"parts": told["parts"], **told["counts"]}
        for name, value in counted.items():
            beam.metrics.Metrics.counter(_COUNTERS, name).inc(value)
        yield told["parts"]


def _called(call: Any, after: Any = ()) -> Any:
    return call()
