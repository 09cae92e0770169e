"""How many tasks executors make of the parts of a stage, where processes cost as much as a part."""

import sys
from types import SimpleNamespace

import pytest

from zarrange.executors import LithopsExecutor, PrefectExecutor

#: Function executors of Lithops, and a task runner of Prefect, as far as executors look at them.
LOCALHOST = SimpleNamespace(
    config={"lithops": {"backend": "localhost"}, "localhost": {"worker_processes": 3}}
)
CLOUD = SimpleNamespace(config={"lithops": {"backend": "aws_lambda"}})
ProcessPool = type("ProcessPoolTaskRunner", (), {"_max_workers": 3})
ThreadPool = type("ThreadPoolTaskRunner", (), {"_max_workers": sys.maxsize})


@pytest.mark.parametrize(
    "executor, given, parts, tasks",
    [
        # Processes of this machine each cost as much as a small part.
        (LithopsExecutor(), [LOCALHOST], 10, 3),
        (LithopsExecutor(), [LOCALHOST], 33, 12),
        (LithopsExecutor(), [CLOUD], 10, 4),
        (LithopsExecutor(), [CLOUD], 32, 8),
        (LithopsExecutor(), [CLOUD], 33, None),
        (LithopsExecutor(shares=7), [LOCALHOST], 10, 7),
        (PrefectExecutor(), [], 10, None),
        (PrefectExecutor(shares=7), [], 10, 7),
        (PrefectExecutor(ProcessPool()), [], 10, 3),
        (PrefectExecutor(ProcessPool()), [], 33, 12),
        (PrefectExecutor(ProcessPool(), shares=7), [], 10, 7),
        # Threads are one worker, however many Prefect has.
        (PrefectExecutor(ThreadPool()), [], 10, None),
        # Of other task runners nobody knows their workers.
        (PrefectExecutor(object()), [], 10, None),
    ],
)
def test_tasks_of_a_stage(executor, given, parts, tasks):
    assert executor._shares(parts, *given) == tasks
