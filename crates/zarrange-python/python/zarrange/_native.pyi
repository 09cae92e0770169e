"""The extension. It is no interface: import zarrange."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias, final

__all__ = [
    "VERSION",
    "CallbackStore",
    "CorruptChunkError",
    "Job",
    "Stop",
    "VerificationError",
    "advise",
    "bench",
    "command",
    "default_max_mem",
    "describe",
    "threads",
    "verify",
]

_Place: TypeAlias = str | tuple[CallbackStore, str]

#: The version of the package.
VERSION: Final[str]

class CorruptChunkError(ValueError):
    """A chunk of an array cannot be decoded. The message names the array, the chunk and what is wrong with it."""

class VerificationError(RuntimeError):
    """What was written differs from the source: nothing of it is left. The message names the array, the element and both values."""

@final
class CallbackStore:
    def __new__(cls, callbacks: Any, label: str) -> CallbackStore: ...
    @property
    def callbacks(self) -> Any: ...

@final
class Stop:
    def __new__(cls) -> Stop: ...
    @property
    def requested(self) -> bool: ...
    def request(self) -> None: ...

@final
class Job:
    def __new__(cls, source: _Place, target: _Place, asked: dict[str, Any], stop: Stop) -> Job: ...
    @property
    def predicted(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def notes(self) -> list[str]: ...
    def execute(self, progress: Callable[[str | None, int], None] | None = None) -> str: ...

def advise(options: list[str], lines: tuple[list[str], list[str]]) -> str: ...
def bench(line: list[str], lines: tuple[list[str], list[str]]) -> str | None: ...
def command(line: list[str]) -> int: ...
def default_max_mem() -> int: ...
def describe(place: _Place, stop: Stop) -> str: ...
def threads() -> int: ...
def verify(
    a: _Place, b: _Place, *, stop: Stop, max_mem: int, threads: int, nan_payloads: bool
) -> tuple[str | None, list[str]]: ...
