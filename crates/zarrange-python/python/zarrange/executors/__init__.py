"""What carries out a plan.

An executor has two methods, as those of rechunker: ``prepare_plan`` makes of a job what the executor's engine runs, and ``execute_plan`` runs that.
Any object that has them will do.

=================  =========================================================  ==================================
name               engine                                                     its plan
=================  =========================================================  ==================================
``threads``        this process, all processors                               the job
``python``         this process, one thread                                   the job
``dask``           any scheduler of dask, a cluster if there is a ``Client``  a list of one `dask.delayed.Delayed`
``beam``           Apache Beam                                                a `PTransform`
``prefect``        Prefect 3                                                  a `Flow`
``lithops``        Lithops, also called ``pywren``                            a function without arguments
``ray``            Ray                                                        a function without arguments
=================  =========================================================  ==================================

All but the first two have workers: processes, on one machine or many, that reach the folders of source and target by the same paths.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

from zarrange._shared import SharedPlan, Task
from zarrange.executors.python import PythonExecutor, ThreadsExecutor

__all__ = ["Executor", "Job", "PythonExecutor", "SharedPlan", "Task", "ThreadsExecutor"]


class Job(Protocol):
    """What is to be carried out, in one of two ways."""

    def execute(self) -> None:
        """Does all of it, with threads, in this process. It is to be called once."""

    def shared(self) -> SharedPlan:
        """The same for workers: tasks in stages, which can be pickled.

        Raises
        ------
        NotImplementedError
            If the target is no folder that other processes reach.
        TypeError
            If the source cannot be sent to them.
        """
        ...


@runtime_checkable
class Executor(Protocol):
    """Carries out a plan. An attribute ``threads``, if there is one, is how many threads a worker has where `rechunk` is told of none."""

    def prepare_plan(self, job: Any) -> Any:
        """Makes a plan of a `Job`."""

    def execute_plan(self, plan: Any, **kwargs: Any) -> Any:
        """Runs a plan, with the keyword arguments of `Rechunked.execute`.

        Of a shared plan it returns what `SharedPlan.finish` does, where it can.
        """


#: Of each name the module, the class, and what must be installed.
_NAMED = {
    "beam": ("beam", "BeamExecutor", "apache_beam", "zarrange[beam]"),
    "dask": ("dask", "DaskExecutor", "dask", "zarrange[dask]"),
    "lithops": ("lithops", "LithopsExecutor", "lithops", "zarrange[lithops]"),
    "prefect": ("prefect", "PrefectExecutor", "prefect", "zarrange[prefect]"),
    "python": ("python", "PythonExecutor", None, None),
    "pywren": ("pywren", "PywrenExecutor", "lithops", "zarrange[lithops]"),
    "ray": ("ray", "RayExecutor", "ray", "zarrange[ray]"),
    "threads": ("python", "ThreadsExecutor", None, None),
}


def executor_of(given: Any) -> Any:
    """The executor of a name, or the object itself.

    Raises
    ------
    ValueError
        If there is none of that name.
    ModuleNotFoundError
        If its engine is not installed.
    TypeError
        If it is neither a name nor an executor.
    """
    if isinstance(given, str):
        try:
            module, name, needed, extra = _NAMED[given.lower()]
        except KeyError:
            raise ValueError(f"unrecognized executor {given!r}: known are {', '.join(_NAMED)}") from None
        if needed is not None and not find_spec(needed):
            raise ModuleNotFoundError(
                f"executor={given!r} needs {needed}, which is not installed: pip install '{extra}'"
            )
        return getattr(import_module(f"zarrange.executors.{module}"), name)()
    if isinstance(given, type) or not isinstance(given, Executor):
        raise TypeError(
            f"executor={given!r} is neither a name nor an object with prepare_plan and execute_plan"
        )
    return given


def __getattr__(name: str) -> Any:
    # Their engines take seconds to import.
    for module, executor, _, _ in _NAMED.values():
        if name == executor:
            return getattr(import_module(f"zarrange.executors.{module}"), name)
    raise AttributeError(f"module 'zarrange.executors' has no attribute {name!r}")
