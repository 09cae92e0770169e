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
        with _in_turn(self.plan, lambda: _opened(self)) as run:
            told = None if run is None else run.work(self)
            if told is not None:
                return told
            _in_process.open = None
        if not os.path.exists(self.target):
            raise FileNotFoundError(
                f"{self.plan} is not there, and neither is {self.target}: the run was given up, or this machine does not reach the folder"
            )
        return {"stage": self.stage, "parts": 0, "before": 0, "counts": {}}


class _Run:
    """The run of a plan, open in this process."""

    def __init__(self, plan: bytes, source: Sent | None, backend: str, *, begins: bool = False) -> None:
        self._stop = _native.Stop()
        #: Whether it was asked to stop: what it is asked next, it would end at once.
        self.stopped = False
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

    def stop(self) -> None:
        self.stopped = True
        self._stop.request()


class _InProcess:
    """What a process has open, and what lets one task in at a time: the memory of a plan is that of a process."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        #: The path of the plan that is open, which plan that was, and its run.
        self.open: tuple[str, tuple[int, int], _Run] | None = None
        #: The run that is at work.
        self.at_work: tuple[str, _Run] | None = None


_in_process = _InProcess()


def _after_fork() -> None:
    global _in_process
    _in_process = _InProcess()


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def _in_turn(plan: str, opened: Callable[[], _Run | None]) -> Iterator[_Run | None]:
    """Waits for the turn of this process, and opens the run of a plan."""
    from zarrange import _dask

    with _in_process.turn, _dask.in_task():
        if os.path.exists(_stopped(plan)):
            raise InterruptedError(f"the run of {plan} was stopped: execute again to go on")
        try:
            run = opened()
            if run is not None:
                _in_process.at_work = plan, run
            yield run
        except BaseException:
            # It may have been stopped, or hold what is gone.
            _in_process.open = None
            raise
        finally:
            _in_process.at_work = None


def _opened(task: Task) -> _Run | None:
    """The run of a task; None if it is over."""
    try:
        found = os.stat(task.plan)
        # The same plan may have been begun anew.
        known = found.st_ino, found.st_mtime_ns
        if _in_process.open is not None and _in_process.open[:2] == (task.plan, known):
            run = _in_process.open[2]
            # It may have been asked when its last task had just ended.
            if not run.stopped:
                return run
        _in_process.open = None
        with open(task.plan, "rb") as file:
            plan = file.read()
        run = _Run(plan, task.source, task.backend)
    except FileNotFoundError:
        if os.path.exists(task.plan):
            raise
        _in_process.open = None
        return None
    if task.source is None:
        # What comes with each task is not kept beyond it.
        _in_process.open = task.plan, known, run
    return run


def _stopped(plan: str) -> str:
    """Where it stands that a run was stopped."""
    return os.path.join(os.path.dirname(plan), "stopped")


def stop(plan: str) -> None:
    """Stops the run of a plan: tasks that have not begun do not begin, and one in this process ends early."""
    if os.path.exists(plan):
        with contextlib.suppress(OSError), open(_stopped(plan), "wb"):
            pass
    at_work = _in_process.at_work
    if at_work is not None and at_work[0] == plan:
        at_work[1].stop()


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
    #: What has the group around the target know it.
    placed: Any = field(default=None, repr=False)

    @property
    def location(self) -> str:
        """Where the plan is while it is carried out: a path in the folder that workers share."""
        return _native.SharedRun.plan_place(self.text)

    @property
    def stages(self) -> range:
        """The numbers of the stages."""
        return range(len(self.parts))

    def begin(self, *after: Any) -> str:
        """Makes the folder that workers share, if it is not there; its plan. One that was stopped goes on."""
        location = self.location
        if not self.is_finished():
            with contextlib.suppress(FileNotFoundError):
                os.remove(_stopped(location))
            with _in_turn(location, lambda: _Run(self.text, self.source, self.backend, begins=True)):
                pass
        return location

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
        told: dict[str, Any] = {}
        if self.is_finished():
            self.give_up()
        else:
            with _in_turn(self.location, lambda: _Run(self.text, self.source, self.backend)) as run:
                assert run is not None, "it was opened"
                told = run.finish()
        if self.placed is not None:
            self.placed.take_in()
        return told

    def stop(self) -> None:
        """Stops it: tasks that have not begun do not begin, wherever. What is done is kept, and `begin` goes on."""
        stop(self.location)

    def give_up(self) -> bool:
        """Removes what workers have written; whether there was anything. A finished target stays."""
        return _native.SharedRun.give_up(self.text)


#: How often it is looked how far workers are, in seconds.
_LOOK = 0.5


@contextlib.contextmanager
def watched(plan: Callable[[], SharedPlan | None], told: _progress.Told | None) -> Iterator[None]:
    """Tells how far workers are, by their receipts, once there is a plan of theirs. What `told` raises stops them, and is raised in the end."""
    if told is None:
        yield
        return
    watcher = _Watcher(plan, told)
    thread = threading.Thread(target=watcher.watch, name="zarrange-progress", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        watcher.ended.set()
        thread.join()
        if watcher.failed is not None:
            raise watcher.failed from None
        raise
    watcher.ended.set()
    thread.join()
    watcher.tell_rest()
    if watcher.failed is not None:
        raise watcher.failed


class _Watcher:
    """Looks at the receipts of a plan now and then."""

    def __init__(self, plan: Callable[[], SharedPlan | None], told: _progress.Told) -> None:
        self._plan, self._told = plan, told
        self._before: int | None = None
        self.ended = threading.Event()
        self.failed: BaseException | None = None

    def watch(self) -> None:
        while not self.ended.wait(_LOOK):
            plan = self._plan()
            if plan is None:
                continue
            try:
                done = _native.SharedRun.parts_done(plan.text)
            except Exception:  # noqa: BLE001, S112, how far it is does not end it
                continue
            total = max(1, sum(plan.parts))
            try:
                self._tell(plan, done * plan.bytes // total)
            except BaseException as error:  # noqa: BLE001, it is raised where it is waited for
                self.failed = error
                plan.stop()
                return

    def tell_rest(self) -> None:
        plan = self._plan()
        if plan is not None and self.failed is None:
            self._tell(plan, plan.bytes)

    def _tell(self, plan: SharedPlan, done: int) -> None:
        if self._before is None:
            self._told("rechunk", plan.bytes)
            self._before = 0
        if done > self._before:
            self._told(None, done - self._before)
            self._before = done
