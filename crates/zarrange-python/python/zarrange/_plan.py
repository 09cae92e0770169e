"""``zarrange.plan``: what rechunking takes, without a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from zarrange import _display
from zarrange._rechunk import prepared
from zarrange._rechunked import Rechunked, Report


class Plan(Report):
    """What rechunking would take, as `zarrange.plan` found it: a mapping as `Report`, of which these are the numbers that are asked for most."""

    def __init__(self, planned: Rechunked) -> None:
        self._values = dict(planned.predicted)
        self._planned = planned
        #: The plan as ``zarrange rechunk --dry-run`` prints it: each way, what it takes, and why.
        self.explanation: str = planned.explanation
        #: What should be known of it, one line each.
        self.notes: list[str] = planned.notes
        #: Arrays that `target_chunks` does not name.
        self.left_out: list[str] = planned.left_out

    @property
    def strategy(self) -> str:
        """The way that is taken, such as ``"direct"`` or ``"staged"``."""
        return str(self["strategy"])

    @property
    def memory(self) -> int:
        """Bytes of memory for data, of all threads together."""
        return int(self["peak_budget_bytes"])

    @property
    def read(self) -> int:
        """Bytes that are read, as many as there are without compression."""
        return int(self["bytes_read"])

    @property
    def written(self) -> int:
        """Bytes that are written to the target, the same."""
        return int(self["bytes_written"])

    @property
    def intermediate(self) -> int:
        """Bytes of intermediate data; 0 where none is needed."""
        return int(self["spill_bytes"])

    @property
    def seconds(self) -> float:
        """Time that it takes, about."""
        return float(self["elapsed_s"])

    def __repr__(self) -> str:
        return _display.text(*self._shown())

    def _repr_html_(self) -> str:
        return _display.html(*self._shown())

    def _shown(self) -> tuple[Any, None, Mapping[str, Any], list[tuple[str, str]]]:
        return self._planned.source, None, self, self._planned.told()


def plan(
    source: Any,
    target_chunks: Any,
    max_mem: str | int | None = None,
    target_store: Any = None,
    target_options: Mapping[str, Any] | None = None,
    *,
    executor: Any = "threads",
    array_name: str | None = None,
    storage_options: dict[str, Any] | None = None,
    threads: int | None = None,
    verify: Literal["none", "sample", "digest", "full"] = "none",
    backend: Literal["auto", "std", "io_uring"] = "auto",
) -> Plan:
    """What rechunking takes: the way, memory, bytes and time. Nothing is written, and no target is needed.

    Parameters
    ----------
    source, target_chunks, max_mem, target_options, executor, array_name, storage_options, threads, verify, backend
        As for `rechunk`.
    target_store : str, path, MutableMapping, zarr Store or zarr.Group, optional
        Where the target would go: a store of whole objects is written in another way than a folder. Without it that is a folder of this machine.

    Returns
    -------
    Plan
        What is predicted.

    Raises
    ------
    ValueError, KeyError, FileExistsError, MemoryError
        As `rechunk` does.

    Examples
    --------
    >>> import zarr, zarrange
    >>> source = zarr.ones((4, 4), chunks=(2, 2), store="source.zarr")  # doctest: +SKIP
    >>> zarrange.plan(source, (4, 1)).memory  # doctest: +SKIP
    128
    """
    return Plan(
        prepared(
            source,
            target_chunks,
            max_mem,
            target_store,
            target_options,
            executor=executor,
            array_name=array_name,
            storage_options=storage_options,
            threads=threads,
            verify=verify,
            backend=backend,
        )
    )
