"""Calls to `newest_serve.py`, from a Python that need not have the newest zarr."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def newest_process(python: str) -> Iterator[Callable]:
    """`call(NAME, *args)`: what that function of `newest_serve.py` returns in this Python."""
    command = [python, "-W", "ignore", HERE / "newest_serve.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def call(name: str, *args):
            print(json.dumps({"call": name, "args": [*map(str, args)]}), file=process.stdin, flush=True)
            answer = process.stdout.readline()
            assert answer, f"{python} ended"
            answer = json.loads(answer)
            assert "error" not in answer, f"{name}{args} with the newest zarr:\n{answer['error']}"
            return answer["result"]

        yield call
        process.stdin.close()
