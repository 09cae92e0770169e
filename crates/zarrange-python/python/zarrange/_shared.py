"""A plan that several processes carry out together, whatever starts them.

What is done is known by receipts in a folder beside the target. So a task can be done twice, late, or by two at once, and one that failed is called again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from zarrange import _native, _process, _progress, _stopping

#: Tasks of a stage, where nobody says how many: enough for as many workers, and each engine can hold them.
SHARES_MAX = 1000


class Sent:
    """A source that is a Python object, on its way to another process.

    Engines look into tuples and dataclasses for what they can compute, which is not meant here.
    """

    __slots__ = ("_again",)

    def __init__(self, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._again = make, arguments

    def source(self) -> Any:
        """The source, made anew."""
        make, arguments = self._again
        return make(*arguments)

    def check(self) -> None:
        """Refuses one that cannot be sent.

        Raises
        ------
        TypeError
            That.
        """
        try:
            try:
                from cloudpickle import dumps
            except ModuleNotFoundError:
                from pickle import dumps
            dumps(self)
        except Exception as error:
            raise TypeError(
                f"the source cannot be sent to other processes ({error}): store it as Zarr first, or use executor='threads'"
            ) from error


@dataclass(frozen=True)
class Task:
    """A share of the parts of a stage. It is called without arguments, in any process that reaches the folders; what it is given is not looked at.

    It can be called again, late, or by two at once: what has a receipt is not done again, and the bytes are the same.
    """

    #: The path of the plan.
    plan: str
    target: str
    stage: int
    #: The number of the share, of `of` of that stage.
    part: int
    of: int
    backend: str
    source: Sent | None = field(default=None, repr=False)

    def __call__(self, *after: Any) -> dict[str, Any]:
        """Does it: its parts, how many of them were done before, and what was counted. Nothing of it where the run is over.

        Raises
        ------
        FileNotFoundError
            If the plan is not there, and neither is the target: this machine does not reach the folder.
        """
        with _one_at_a_time():
            try:
                run = _opened(self)
                if run is not None:
                    told = run.work(self)
                    if told is not None:
                        return told
            except BaseException:
                # It may have been stopped, or hold what is gone.
                _forget(self.plan)
                raise
            _forget(self.plan)
        if not os.path.exists(self.target):
            raise FileNotFoundError(
                f"{self.plan} is not there, and neither is {self.target}: the run was given up, or this machine does not reach the folder"
            )
        return {"stage": self.stage, "parts": 0, "before": 0, "counts": {}}


class _Run:
    """The run of a plan, open in this process."""

    def __init__(self, plan: bytes, source: Sent | None, backend: str, *, begins: bool = False) -> None:
        self._stop = _native.Stop()
        backend = _process.backend(backend)
        place = None
        if source is not None:
            place = source.source().placed(backend)
        self._place = place
        with self._stoppable():
            self._run = _native.SharedRun(plan, place, self._stop, backend, begins=begins)

    def _stoppable(self) -> Any:
        return _stopping.stopped_by(self._stop, self._place)

    def work(self, task: Task) -> dict[str, Any] | None:
        with self._stoppable():
            told = self._run.work(task.stage, task.part, task.of)
        return None if told is None else json.loads(told)

    def finish(self) -> dict[str, Any]:
        with self._stoppable():
            return json.loads(self._run.finish())

    def status(self) -> list[tuple[int, int]]:
        return self._run.status()


class _InProcess:
    """What a process has open, and what lets one task in at a time: the memory of a plan is that of a process."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.runs: dict[str, _Run] = {}


#: Runs that stay open in a process.
_RUNS_MAX = 4

_in_process = _InProcess()


def _after_fork() -> None:
    global _in_process
    _in_process = _InProcess()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with _in_process.turn:
        yield


def _opened(task: Task) -> _Run | None:
    """The run of a task; None if it is over."""
    runs = _in_process.runs
    if task.plan not in runs:
        try:
            with open(task.plan, "rb") as file:
                plan = file.read()
            run = _Run(plan, task.source, task.backend)
        except FileNotFoundError:
            if os.path.exists(task.plan):
                raise
            return None
        while len(runs) >= _RUNS_MAX:
            runs.pop(next(iter(runs)))
        runs[task.plan] = run
    return runs[task.plan]


def _forget(plan: str) -> None:
    _in_process.runs.pop(plan, None)


@dataclass(frozen=True)
class SharedPlan:
    """A plan in stages of parts. It goes to other processes by pickle, and nothing is written before `begin`.

    An engine calls `begin`, then all tasks of a stage, in any order and anywhere, then those of the next stage, and then `finish`.
    """

    #: The plan, as ``zarrange plan`` writes it.
    text: bytes = field(repr=False)
    #: Parts of each stage.
    parts: tuple[int, ...]
    target: str
    backend: str
    #: Threads of a process.
    threads: int
    #: Bytes that it reads and writes, about.
    bytes: int
    source: Sent | None = field(default=None, repr=False)

    @property
    def location(self) -> str:
        """Where the plan is while it is carried out: a path in the folder that workers share."""
        return _native.SharedRun.plan_place(self.text)

    @property
    def stages(self) -> range:
        """The numbers of the stages."""
        return range(len(self.parts))

    def begin(self, *after: Any) -> str:
        """Makes the folder that workers share, if it is not there; its plan."""
        _Run(self.text, self.source, self.backend, begins=True)
        return self.location

    def tasks(self, stage: int, shares: int | None = None) -> list[Task]:
        """The tasks of a stage: `shares` of about the same number of parts, or one for each part, and not more than 1000."""
        of = max(1, min(self.parts[stage], SHARES_MAX if shares is None else max(1, shares)))
        location = self.location
        return [Task(location, self.target, stage, part, of, self.backend, self.source) for part in range(of)]

    def status(self) -> list[tuple[int, int]]:
        """Of each stage its parts, and how many of them are done."""
        return _Run(self.text, self.source, self.backend).status()

    def is_finished(self) -> bool:
        """Whether the target is there."""
        return _native.SharedRun.is_finished(self.text)

    def finish(self, *after: Any) -> dict[str, Any]:
        """Gives the target its name, when all is done: what was counted. It can be called again."""
        if self.is_finished():
            self.give_up()
            return {}
        return _Run(self.text, self.source, self.backend).finish()

    def give_up(self) -> bool:
        """Removes what workers have written; whether there was anything. A finished target stays."""
        return _native.SharedRun.give_up(self.text)


#: How often it is looked how far workers are, in seconds.
_LOOK = 0.5


@contextlib.contextmanager
def watched(plan: SharedPlan, told: _progress.Told | None) -> Iterator[None]:
    """Tells how far workers are, by their receipts. What `told` raises is raised in the end."""
    if told is None:
        yield
        return
    ended, failed = threading.Event(), []
    total = max(1, sum(plan.parts))

    def look() -> None:
        told("rechunk", plan.bytes)
        before = 0
        while not ended.wait(_LOOK):
            # Before it is begun, and when it is finished, there is none.
            with contextlib.suppress(FileNotFoundError, RuntimeError, OSError):
                done = sum(done for _, done in plan.status()) * plan.bytes // total
                told(None, done - before)
                before = done
        told(None, plan.bytes - before)

    def looking() -> None:
        try:
            look()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=looking, name="zarrange-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]
