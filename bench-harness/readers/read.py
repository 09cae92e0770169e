"""Reads regions of an array as other readers do: told on stdin, answered on stdout, both as JSON.

What is told: `reader`, `path`, `warm` (everything is read once before), `latency_ms` (what each request waits, as in an object store; 0 for
none), `rate` (operations a second, or null), and `operations`, each a list of calls: along each dimension [start, count], or {"indices": [...]}. What is answered: `version`, `times_ns` of the
operations from when they should have begun, `elapsed_s`, `requests` and `bytes` as the reader's store counts them, `device_bytes`, `faults`, `cpu_s`,
`peak_resident_bytes`.
"""

import asyncio
import json
import resource
import sys
import time
from importlib.metadata import version


class Counts:
    """Requests and bytes so far."""

    def __init__(self):
        self.requests = self.bytes = 0


def zarr_store(path, latency_ms, counts):
    """A store of zarr-python that counts, and waits before each request."""
    from zarr.storage import LocalStore, WrapperStore

    class Counting(WrapperStore):
        async def get(self, key, prototype, byte_range=None):
            if latency_ms:
                await asyncio.sleep(latency_ms / 1e3)
            found = await self._store.get(key, prototype, byte_range)
            counts.requests += 1
            counts.bytes += 0 if found is None else len(found)
            return found

        async def get_partial_values(self, prototype, key_ranges):
            return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    return Counting(LocalStore(path, read_only=True))


def with_zarr_python(path, latency_ms):
    import zarr

    counts = Counts()
    array = zarr.open_array(zarr_store(path, latency_ms, counts), mode="r")
    return of_zarr(array), lambda: (counts.requests, counts.bytes)


def of_zarr(array):
    return lambda wanted: array[wanted] if all(isinstance(one, slice) for one in wanted) else array.oindex[wanted]


def with_xarray(path, latency_ms):
    import zarr
    import xarray

    counts = Counts()
    array = zarr.open_array(zarr_store(path, latency_ms, counts), mode="r")
    # As open_zarr makes it: a backend array behind lazy indexing. A group around the one array would be another store.
    from xarray.backends.zarr import ZarrArrayWrapper
    from xarray.core import indexing

    lazy = indexing.LazilyIndexedArray(ZarrArrayWrapper(array))
    variable = xarray.Variable([f"d{axis}" for axis in range(array.ndim)], lazy)
    return lambda wanted: variable[wanted].values, lambda: (counts.requests, counts.bytes)


def with_tensorstore(path, latency_ms):
    import tensorstore

    if latency_ms:
        place = {"driver": "http", "base_url": served(path, latency_ms)}
    else:
        place = {"driver": "file", "path": str(path)}
    array = tensorstore.open({"driver": "zarr3", "kvstore": place}, open=True, read=True).result()
    names = [f"/tensorstore/kvstore/{place['driver']}/{what}" for what in ("read", "bytes_read")]

    def metric(name):
        found = tensorstore.experimental_collect_matching_metrics(name)
        return sum(
            value.get("value", value.get("count", 0))
            for one in found
            if one["name"] == name
            for value in one["values"]
        )

    return lambda wanted: array.oindex[wanted].read().result(), lambda: tuple(metric(name) for name in names)


def with_zarrs_python(path, latency_ms):
    import zarr
    import zarrs  # noqa: F401

    if latency_ms:
        raise SystemExit("zarrs-python reads local files only here")
    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    array = zarr.open_array(path, mode="r")
    # It reads files itself: the kernel counts.
    return of_zarr(array), read_by_process


def served(path, latency_ms):
    """Serves a folder over HTTP on loopback, from a process of its own; its address."""
    import subprocess

    server = subprocess.Popen(
        [sys.executable, __file__, "serve", str(path), str(latency_ms)], stdout=subprocess.PIPE, text=True
    )
    import atexit

    atexit.register(server.kill)
    return f"http://127.0.0.1:{int(server.stdout.readline())}/"


def serve(root, latency_ms):
    """Files and ranges of them, each after a while, to any number of readers at once."""
    from pathlib import Path
    from urllib.parse import unquote

    root = Path(root)

    async def answer(reader, writer):
        try:
            while request := await reader.readline():
                _, target, _ = request.decode().split()
                wanted = None
                while (line := (await reader.readline()).strip()) != b"":
                    name, _, value = line.partition(b":")
                    if name.lower() == b"range":
                        wanted = value.strip().decode().removeprefix("bytes=").split("-")
                await asyncio.sleep(latency_ms / 1e3)
                file = root / unquote(target).lstrip("/")
                data, head = (file.read_bytes(), "200 OK") if file.is_file() else (b"", "404 Not Found")
                if wanted and file.is_file():
                    size = len(data)
                    start = int(wanted[0]) if wanted[0] else max(0, size - int(wanted[1]))
                    end = min(size, int(wanted[1]) + 1) if wanted[0] and wanted[1] else size
                    data = data[start:end]
                    head = f"206 Partial Content\r\nContent-Range: bytes {start}-{end - 1}/{size}"
                writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def run():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(run())


def started():
    """Starts threads and loads codecs, by reading something else: what is measured stays cold."""
    import numpy
    import zarr

    small = zarr.create_array({}, shape=(4,), chunks=(1,), dtype="f4")
    small[:] = numpy.arange(4)
    small[:]


def io_of_process(*names):
    with open("/proc/self/io") as file:
        found = dict(line.split(": ") for line in file.read().splitlines())
    return tuple(int(found[name]) for name in names)


def read_by_process():
    return io_of_process("syscr", "rchar")


def selected(one):
    if isinstance(one, dict):
        import numpy

        return numpy.asarray(one["indices"])
    return slice(one[0], one[0] + one[1])


READERS = {
    "zarr-python": (with_zarr_python, "zarr"),
    "zarr-python-3.3": (with_zarr_python, "zarr"),
    "xarray": (with_xarray, "xarray"),
    "tensorstore": (with_tensorstore, "tensorstore"),
    "zarrs-python": (with_zarrs_python, "zarrs"),
}


def main(told):
    opened, package = READERS[told["reader"]]
    read, counted = opened(told["path"], told["latency_ms"])
    operations = [[tuple(map(selected, call)) for call in calls] for calls in told["operations"]]
    if told["warm"]:
        for wanted in (wanted for calls in operations for wanted in calls):
            read(wanted)
    else:
        started()
    times, rate = [], told.get("rate")
    before, device, used = counted(), io_of_process("read_bytes"), resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter_ns()
    for number, calls in enumerate(operations):
        intended = time.perf_counter_ns()
        if rate:
            intended = begin + int(number / rate * 1e9)
            while (early := intended - time.perf_counter_ns()) > 0:
                time.sleep(early / 1e9)
        for wanted in calls:
            read(wanted)
        times.append(time.perf_counter_ns() - intended)
    elapsed_s = (time.perf_counter_ns() - begin) / 1e9
    after, usage = counted(), resource.getrusage(resource.RUSAGE_SELF)
    cpu = lambda of: of.ru_utime + of.ru_stime
    answer = {
        "version": version(package),
        "times_ns": times,
        "elapsed_s": elapsed_s,
        "requests": after[0] - before[0],
        "bytes": after[1] - before[1],
        "faults": usage.ru_majflt - used.ru_majflt,
        "device_bytes": io_of_process("read_bytes")[0] - device[0],
        "cpu_s": cpu(usage) - cpu(used),
        "peak_resident_bytes": usage.ru_maxrss * 1024,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], float(sys.argv[3]))
    else:
        main(json.load(sys.stdin))
