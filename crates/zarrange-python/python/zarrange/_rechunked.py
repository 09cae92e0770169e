"""What ``zarrange.rechunk`` returns: a plan that can be looked at and carried out."""

from __future__ import annotations

import glob
import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zarrange import (
    _display,
    _native,
    _process,
    _progress,
    _shared,
    _sources,
    _stopping,
    _stores,
)
from zarrange.executors.python import ThreadsExecutor


@dataclass(frozen=True)
class Target:
    """Where the target goes: a zarr store and a path in it."""

    store: Any
    path: str
    group: Any = None
    place: Any = field(init=False)

    def __post_init__(self) -> None:
        if self.group is not None and self.group.metadata.zarr_format != 3:
            raise ValueError(
                f"target_store {self.group} is of Zarr v2: what is written is Zarr v3, which readers of it would not see"
            )
        if self.store.read_only:
            raise ValueError(f"target_store {self.store} can only be read")
        object.__setattr__(self, "place", _stores.place(self.store, self.path))

    def opened(self) -> Any:
        """The target as zarr opens it."""
        import zarr

        return zarr.open(self.store, path=self.path or None, mode="r+", zarr_format=3)

    def is_empty_group(self) -> bool:
        """Whether it is a group object in a folder of this machine, and there is nothing in it, not even attributes."""
        if self.group is None or not isinstance(self.place, str) or self.group.attrs.asdict():
            return False
        return os.listdir(self.place) == ["zarr.json"]

    def kept_bounds(self) -> tuple[int, int] | None:
        """The memory and threads of what workers have begun to write here, if they have."""
        return _native.SharedRun.kept_bounds(self.place) if isinstance(self.place, str) else None

    def take_in(self) -> None:
        """Has the group that the target is in know it: by the groups between them, and where it repeats the metadata of its members."""
        import zarr

        if self.group is None or self.path == self.group.path:
            return
        group = zarr.open_group(self.store, path=self.group.path or None, mode="r+", use_consolidated=False)
        between = self.path.removeprefix(f"{self.group.path}/").rpartition("/")[0]
        if between:
            group.require_group(between)
        if self.group.metadata.consolidated_metadata is not None:
            zarr.consolidate_metadata(self.store, path=self.group.path or None)

    def __str__(self) -> str:
        return "/".join(part for part in (str(self.store), self.path) if part)


class Report(Mapping[str, Any]):
    """What a plan predicts, or a run has counted: a mapping of names to numbers, as ``zarrange rechunk --json`` prints them.

    Among them are ``strategy``, ``stages``, ``bytes_read``, ``bytes_written``, ``spill_bytes``, ``source_chunk_decodes``, ``target_chunks``,
    ``peak_budget_bytes``, ``elapsed_s`` (seconds) and ``arrays``, the same for each array.
    """

    def __init__(self, text: str) -> None:
        self._values = json.loads(text)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<zarrange.Report: {_display.summary(self)}>"


class Job(Report):
    """What an executor makes a plan of: a mapping of what is predicted, and two ways to carry it out."""

    def __init__(self, rechunked: Rechunked, progress: Any = None) -> None:
        self._values = dict(rechunked.predicted)
        self._rechunked, self._progress = rechunked, progress
        #: What it counted, when it was carried out in this process.
        self.report: Report | None = None
        self.begun = time.monotonic()
        #: What workers have of it, if they were asked.
        self.plan: _shared.SharedPlan | None = None
        #: Whether it does not go on in some thread.
        self.rests = threading.Event()
        self.rests.set()

    def execute(self) -> None:
        """Does all of it, with threads, in this process."""
        self.rests.clear()
        try:
            self.report = Report(self._rechunked._taken().execute(self._progress))
            self._rechunked._target.take_in()
        finally:
            self.rests.set()

    def shared(self) -> _shared.SharedPlan:
        """The same for workers.

        Raises
        ------
        NotImplementedError
            If the target is no folder.
        TypeError
            If the source cannot be sent to other processes.
        """
        self.plan = self._rechunked._shared()
        return self.plan

    def __reduce__(self) -> Any:
        raise TypeError(
            "a job that is carried out in this process cannot be sent to others: give execute() the scheduler, or start the cluster before the plan is made"
        )


class Rechunked:
    """A job of rechunking that is planned. It is made by :func:`zarrange.rechunk`."""

    def __init__(
        self,
        executor: Any,
        source: Any,
        target: Target,
        request: dict[str, Any],
        left_out: list[str],
        planned: tuple[str, str, list[str]] | None = None,
    ) -> None:
        self._executor = executor
        self._source = source
        self._target = target
        self._request = request
        #: Arrays that `target_chunks` does not name.
        self.left_out: list[str] = left_out
        self._process = os.getpid()
        self._job: Any = None
        #: What a plan for other processes calls the source, where they cannot open it themselves.
        self._source_name: str | None = None
        if planned is None:
            self._job = self._planned()
            planned = self._job.predicted, self._job.text, self._job.notes
        self._told_by_plan = planned
        self._predicted = Report(planned[0])
        #: The plan as ``zarrange rechunk --dry-run`` prints it: each way, what it takes, and why.
        self.explanation: str = planned[1]
        #: What should be known of the plan, one line each: it is warned of, too.
        self.notes: list[str] = planned[2]
        #: What the run has counted, after `execute`; None before.
        self.report: Report | None = None

    def _planned(self) -> Any:
        _process.check_loop()
        self._process = os.getpid()
        request: dict[str, Any] = self._request | {"backend": _process.backend(self._request["backend"])}
        # A group with nothing in it is a place that was prepared for this.
        request["overwrite"] |= self._source.kind == "group" and self._target.is_empty_group()
        # What workers of this very plan have done is not in the way.
        request["joins"] = not isinstance(self._executor, ThreadsExecutor)
        self._source_name = self._source.named(request["unknown"]) if request["joins"] else None
        request["source_name"] = self._source_name
        self._stop = _native.Stop()
        self._places = self._source.placed(request["backend"]), self._target.place
        with self._stoppable():
            return _native.Job(*self._places, request, self._stop)

    def _stoppable(self) -> Any:
        return _stopping.stopped_by(self._stop, *self._places)

    def _taken(self) -> Any:
        """The job that is planned, which is carried out once."""
        # What was planned before a fork has threads that are not in this process.
        job = self._job if self._job is not None and self._process == os.getpid() else self._planned()
        self._job = None
        return job

    def _shared(self) -> _shared.SharedPlan:
        """The plan for workers."""
        target = self._target.place
        if not isinstance(target, str):
            raise NotImplementedError(
                f"target {self._target} is no folder: what workers write must be one that all of them reach; give a path, or use executor='threads'"
            )
        text, parts = self._taken().plan()
        source = None
        if self._source_name is not None:
            source = _shared.Sent(*self._again())
            source.check()
        told = self._predicted
        return _shared.SharedPlan(
            text,
            tuple(parts),
            target,
            self._request["backend"],
            self._request["threads"],
            told["bytes_read"] + told["bytes_written"] + 2 * told["spill_bytes"],
            source,
            self._target if self._target.group is not None else None,
        )

    def _again(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._source.again or (_sources.source, (self._source.shown,))

    @property
    def predicted(self) -> Report:
        """What is predicted: memory, reads and writes, time, of each array and of all together."""
        return self._predicted

    @property
    def plan(self) -> Any:
        """The plan as the executor has it: for ``"threads"`` and ``"python"`` a `Job`, which is a mapping of what is predicted, too."""
        return self._executor.prepare_plan(Job(self))

    def give_up(self) -> bool:
        """Removes what workers have written to a target that is not finished, by whichever plan; whether there was anything."""
        target = self._target.place
        if not isinstance(target, str):
            return False
        folder, name = os.path.split(target)
        given_up = False
        for plan in glob.glob(
            os.path.join(glob.escape(folder), f".{glob.escape(name)}.partial-*", "plan.json")
        ):
            with open(plan, "rb") as file:
                text = file.read()
            if _native.SharedRun.plan_place(text) == plan:
                _shared.stop(plan)
                given_up |= _native.SharedRun.give_up(text)
        return given_up

    def execute(
        self, *, progress: bool | Callable[[str | None, int], None] | None = None, **kwargs: Any
    ) -> Any:
        """Carries the plan out.

        Parameters
        ----------
        progress : bool or callable, optional
            True shows a bar (with tqdm, where it is installed), False none; without it a bar is shown where somebody can see it. A callable gets the name of
            a phase with its bytes when it begins, and then None and bytes that were moved; what it raises stops the run.
        **kwargs
            For the executor.

        Returns
        -------
        zarr.Array, zarr.Group, xarray.Dataset, xarray.DataTree or xarray.DataArray
            The target, opened by the library that the source is of.

        Raises
        ------
        FileExistsError
            If something is at the target: also when this was called before.
        KeyboardInterrupt
            If it is interrupted: nothing of the target is left then. What workers have done is kept, and the next call goes on from there.
        """
        if self._job is None or self._process != os.getpid():
            self._job = self._planned()
        _process.check_loop()
        with _progress.shown(progress) as told, self._stoppable():
            job = Job(self, told)
            try:
                plan = self._executor.prepare_plan(job)
                with _shared.watched(lambda: job.plan, told):
                    counted = self._executor.execute_plan(plan, **kwargs)
            except BaseException as error:
                # Signals come to the main thread, wherever the job goes on.
                self._stop.request()
                job.rests.wait()
                # It was asked to stop: who goes on plans again.
                self._job = None
                if job.plan is not None:
                    job.plan.stop()
                if job.plan is not None and os.path.exists(job.plan.location):
                    error.add_note(
                        f"What workers have done is kept in {os.path.dirname(job.plan.location)}: execute() goes on from there, give_up() removes it."
                    )
                raise
        self.report = self._reported(job, counted)
        for warning in self.report["warnings"]:
            warnings.warn(warning, stacklevel=2)
        return (self._source.opened or Target.opened)(self._target)

    def _reported(self, job: Job, counted: Any) -> Report:
        """What was counted, if the target is there."""
        if job.report is not None:
            return job.report
        if job.plan is None or not job.plan.is_finished():
            raise RuntimeError(f"{self._executor!r} did not carry out the job that it was given")
        counted = counted if isinstance(counted, dict) else {}
        told = dict(self._predicted) | counted.get("counts", {})
        # Nobody knows these of all workers together.
        for name in ("arrays", "peak_budget_bytes", "verify_peak_budget_bytes", "as_planned"):
            told.pop(name, None)
        told["warnings"] = counted.get("warnings", [])
        told["verified"] = counted.get("verified", self._request["verify"] in ("digest", "full"))
        told["elapsed_s"] = time.monotonic() - job.begun
        return Report(json.dumps(told))

    def __reduce__(self) -> Any:
        target = (self._target.store, self._target.path, self._target.group)
        parts = self._executor, self._again(), target, self._request, self.left_out, self._told_by_plan
        return _unpickled, parts

    def __repr__(self) -> str:
        return _display.text(self._source.shown, self._target, self._predicted, self.told())

    def _repr_html_(self) -> str:
        return _display.html(self._source.shown, self._target, self._predicted, self.told())

    @property
    def source(self) -> Any:
        """What is rechunked, as it was given."""
        return self._source.shown

    def told(self) -> list[tuple[str, str]]:
        """What should be known of it, each with a title."""
        told = [("Left out", ", ".join(self.left_out))] if self.left_out else []
        if self._source.computed:
            told.append(("Computed", ", ".join(self._source.computed)))
        return told + [("Note", note) for note in self.notes]


def _unpickled(
    executor: Any,
    again: tuple[Any, tuple[Any, ...]],
    target: tuple[Any, str, Any],
    request: dict[str, Any],
    left_out: list[str],
    planned: tuple[str, str, list[str]],
) -> Rechunked:
    """A job that was pickled: it is planned again when it is carried out."""
    source, arguments = again
    return Rechunked(executor, source(*arguments), Target(*target), request, left_out, planned)
