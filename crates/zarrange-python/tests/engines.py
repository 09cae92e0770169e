"""Executors with real engines, and what they are tried with. As a program it does one case in a process of its own:

python engines.py ENGINE CASE FOLDER
"""

import contextlib
import logging
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import zarr

import zarrange

#: Two workers each: this machine has two processors.
WORKERS = 2


@contextlib.contextmanager
def started(engine):
    """Starts an engine: the executor, and what `execute` is given."""
    with contextlib.ExitStack() as stack:
        yield {
            "python": _simple,
            "threads": _simple,
            "dask": _dask_threads,
            "dask-processes": _dask_processes,
            "dask-cluster": _dask_cluster,
            "beam": _beam,
            "beam-processes": _beam_processes,
            "prefect": _prefect,
            "prefect-processes": _prefect_processes,
            "lithops": _lithops,
            "pywren": _lithops,
            "ray": _ray,
        }[engine](engine, stack)


def _simple(engine, stack):
    return engine, {}


def _dask_threads(engine, stack):
    return "dask", {"scheduler": "threads"}


def _dask_processes(engine, stack):
    return "dask", {"scheduler": "processes", "num_workers": WORKERS}


def _dask_cluster(engine, stack):
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None)
    stack.enter_context(cluster)
    stack.enter_context(Client(cluster))
    return "dask", {}


def _beam(engine, stack):
    # The default is fetched from elsewhere.
    return "beam", {"runner": "BundleBasedDirectRunner"}


def _beam_processes(engine, stack):
    from apache_beam.options.pipeline_options import PipelineOptions

    options = PipelineOptions(direct_num_workers=WORKERS, direct_running_mode="multi_processing")
    return "beam", {"runner": "apache_beam.runners.portability.fn_api_runner.FnApiRunner", "options": options}


def _prefect(engine, stack):
    from prefect.testing.utilities import prefect_test_harness

    # A server of its own, with a database that goes with it.
    stack.enter_context(prefect_test_harness(server_startup_timeout=120))
    return "prefect", {}


def _prefect_processes(engine, stack):
    from prefect.task_runners import ProcessPoolTaskRunner

    from zarrange.executors import PrefectExecutor

    _, given = _prefect(engine, stack)
    return PrefectExecutor(ProcessPoolTaskRunner(max_workers=WORKERS)), given


def _lithops(engine, stack):
    import lithops

    from zarrange.executors import LithopsExecutor, PywrenExecutor

    executor = lithops.LocalhostExecutor(worker_processes=WORKERS, runtime=sys.executable)
    stack.enter_context(executor)
    return {"lithops": LithopsExecutor, "pywren": PywrenExecutor}[engine](executor), {}


def _ray(engine, stack):
    import ray

    ray.init(num_cpus=WORKERS, include_dashboard=False, logging_level=logging.ERROR)
    stack.callback(ray.shutdown)
    return "ray", {}


class Faulty:
    """An array that does something bad, once, when the element at `at` is read. Its elements are their indexes."""

    shape, dtype, chunks = (240, 360), np.dtype("i4"), (8, 360)
    at = 100

    def __init__(self, fault, marker):
        self.fault, self.marker = fault, os.fspath(marker)

    def __dask_tokenize__(self):
        return ("zarrange.tests.Faulty", self.fault)

    def __getitem__(self, slices):
        rows, columns = slices
        if rows.start <= self.at < rows.stop:
            # Whoever makes it is the first.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
                FAULTS[self.fault]()
        return numbered(self.shape)[slices]


def numbered(shape):
    return np.arange(np.prod(shape), dtype="i4").reshape(shape)


def _killed():
    os.kill(os.getpid(), signal.SIGKILL)


def _failed():
    raise OSError("it failed once")


FAULTS = {"killed": _killed, "failed": _failed, "slow": lambda: time.sleep(3)}


def _rows(folder):
    return _array(folder, chunks=(1, 360))


def _array(folder, **options):
    name = folder / "source.zarr"
    if not name.exists():
        made = zarr.create_array(name, **{"shape": (240, 360), "chunks": (8, 360), "dtype": "i4", **options})
        made[...] = numbered(made.shape)
    return zarr.open(name, mode="r")


def _sharded(folder):
    return _array(folder, chunks=(8, 60), shards=(8, 360))


def _hierarchy(folder):
    name = folder / "source.zarr"
    if not name.exists():
        group = zarr.create_group(name, attributes={"survey": "all sky"})
        for path in ("flux", "night/error"):
            group.create_array(path, shape=(60, 90), chunks=(4, 90), dtype="i4")[...] = numbered((60, 90))
        with warnings.catch_warnings():
            # That they have no specification yet.
            warnings.simplefilter("ignore")
            names = group.create_array("names", shape=(60,), chunks=(7,), dtype=str)
        names[...] = np.array([f"object {number}" for number in range(60)])
    return zarr.open(name, mode="r")


#: Of each case the source, the chunks, the memory, options, and the way if not the best.
CASES = {
    "copy": (_array, None, "1MB", None, "copy"),
    "repack": (_sharded, (8, 60), "1MB", {"shards": (24, 180)}, "repack"),
    "tiles": (_array, (240, 9), "1MB", None, "tiles"),
    "sweep": (_array, (100, 360), "1MB", None, "sweep"),
    "staged": (_array, (240, 9), "60kB", None, "staged"),
    "staged2": (_rows, (240, 1), "30kB", None, "staged2"),
    "staged3": (_rows, (240, 1), "30kB", None, "staged3"),
    "group": (_hierarchy, {"flux": (60, 3), "night/error": (60, 3), "names": (60,)}, "1MB", None, None),
    "killed": (lambda folder: Faulty("killed", folder / "marker"), (240, 9), "60kB", None, "staged"),
    "failed": (lambda folder: Faulty("failed", folder / "marker"), (240, 9), "60kB", None, "staged"),
    "slow": (lambda folder: Faulty("slow", folder / "marker"), (240, 9), "60kB", None, "staged"),
}


def rechunked(case, folder, executor, target="target.zarr"):
    source, chunks, max_mem, options, way = CASES[case]
    job = zarrange.rechunk(
        source(folder),
        chunks,
        max_mem,
        folder / target,
        options,
        executor=executor,
        threads=1,
        part_size="30kB",
        durability="none",
    )
    if way is not None:
        job._request["way"] = way
        job._job = job._planned()
    return job


def files(folder):
    """Of each file below a folder its bytes."""
    root = Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def main(engine, case, folder):
    with started(engine) as (executor, kwargs):
        rechunked(case, Path(folder), executor).execute(**kwargs)


if __name__ == "__main__":
    # By the name that workers know it by.
    import engines

    engines.main(*sys.argv[1:])
