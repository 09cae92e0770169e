"""How a program that is checked uses the package. It is not run: mypy and pyright read it, and no more (scripts/python-types)."""

from typing import Any, assert_type

import zarrange


class Own:
    """An executor of one's own needs no base class."""

    def prepare_plan(self, job: Any) -> list[Any]:
        return [job]

    def execute_plan(self, plan: list[Any], **kwargs: Any) -> None:
        for job in plan:
            job.execute()


executor: zarrange.executors.Executor = Own()
rechunked = zarrange.rechunk("a.zarr", {"x": -1}, "1GB", {}, executor=executor, verify="full")
assert_type(rechunked, zarrange.Rechunked)
assert_type(rechunked.predicted, zarrange.Report)
assert_type(zarrange.plan("a.zarr", None), zarrange.Plan)
assert_type(zarrange.plan("a.zarr", None).memory, int)
assert_type(rechunked.report, zarrange.Report | None)
assert_type(rechunked.notes, list[str])
assert_type(zarrange.verify("a.zarr", "b.zarr"), zarrange.Comparison)
assert_type(zarrange.verify("a.zarr", "b.zarr").difference, str | None)
assert_type(zarrange.info("a.zarr"), dict[str, Any])


def told(phase: str | None, bytes_: int) -> None:
    print(phase, bytes_)


try:
    rechunked.execute(progress=told)
except (zarrange.CorruptChunkError, zarrange.VerificationError) as error:
    raise SystemExit(str(error)) from error
