"""Reads regions of an array as other readers do, or writes them: told on stdin, answered on stdout, both as JSON.

What is told: `reader`, `path`, `warm` (everything is read once before), `latency_ms` (what each request waits, as in an object store; 0 for
none), `rate` (operations a second, or null), `writes` (null, or the dimension along which a copy grows), and `operations`, each a list of calls: along each
dimension [start, count], or {"indices": [...]}. What is answered: `version`, `times_ns` of the operations from when they should have begun, `elapsed_s`,
`requests` and `bytes` as the reader's store counts them, `device_bytes`, `faults`, `cpu_s`, `peak_resident_bytes`.

A reader is what opens an array: (path, latency_ms, writes) -> (read or write a region, requests and bytes so far).
"""

import asyncio
import json
import os
import resource
import shutil
import sys
import time
from importlib.metadata import version


class Counts:
    """Requests and bytes so far."""

    def __init__(self):
        self.requests = self.bytes = 0


def zarr_store(path, latency_ms, counts, writes):
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

        async def set(self, key, value):
            if latency_ms:
                await asyncio.sleep(latency_ms / 1e3)
            await self._store.set(key, value)
            counts.requests += 1
            counts.bytes += len(value)

    return Counting(LocalStore(path, read_only=not writes))


def with_zarr_python(path, latency_ms, writes):
    import zarr

    counts = Counts()
    array = zarr.open_array(zarr_store(path, latency_ms, counts, writes), mode="r+" if writes else "r")
    return of_zarr(array, writes), lambda: (counts.requests, counts.bytes)


def of_zarr(array, writes):
    if writes:
        return array.__setitem__
    return lambda wanted: array[wanted] if all(isinstance(one, slice) for one in wanted) else array.oindex[wanted]


def with_xarray(path, latency_ms, writes):
    if writes:
        # As Dataset.to_zarr(region=...) does.
        return with_zarr_python(path, latency_ms, writes)
    import zarr
    import xarray

    counts = Counts()
    array = zarr.open_array(zarr_store(path, latency_ms, counts, writes), mode="r")
    # As open_zarr makes it: a backend array behind lazy indexing. A group around the one array would be another store.
    from xarray.backends.zarr import ZarrArrayWrapper
    from xarray.core import indexing

    lazy = indexing.LazilyIndexedArray(ZarrArrayWrapper(array))
    variable = xarray.Variable([f"d{axis}" for axis in range(array.ndim)], lazy)
    return lambda wanted: variable[wanted].values, lambda: (counts.requests, counts.bytes)


def tensorstore_array(place, **options):
    import tensorstore

    # Of the others none waits until what it writes is on the disk.
    context = {"file_io_sync": False}
    spec = {"driver": "zarr3", "kvstore": place, "context": context}
    return tensorstore.open(spec, open=True, **options).result()


def with_tensorstore(path, latency_ms, writes):
    import tensorstore

    if writes and latency_ms:
        raise SystemExit("TensorStore writes local files only here")
    if latency_ms:
        place = {"driver": "http", "base_url": served(path, latency_ms)}
    else:
        place = {"driver": "file", "path": str(path)}
    array = tensorstore_array(place, read=True, write=writes)
    kinds = ["read", "bytes_read", "write", "bytes_written"]
    names = [f"/tensorstore/kvstore/{place['driver']}/{kind}" for kind in kinds]

    def metric(name):
        found = tensorstore.experimental_collect_matching_metrics(name)
        return sum(
            value.get("value", value.get("count", 0))
            for one in found
            if one["name"] == name
            for value in one["values"]
        )

    def counted():
        reads, read, writes, written = map(metric, names)
        return reads + writes, read + written

    if writes:
        return lambda wanted, values: array[wanted].write(values).result(), counted
    return lambda wanted: array.oindex[wanted].read().result(), counted


def with_zarrs_python(path, latency_ms, writes):
    import zarr
    import zarrs  # noqa: F401

    if latency_ms:
        raise SystemExit("zarrs-python has local files only here")
    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    array = zarr.open_array(path, mode="r+" if writes else "r")
    # It reads files itself: the kernel counts.
    return of_zarr(array, writes), io_by_process


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


def io_by_process():
    reads, read, writes, written = io_of_process("syscr", "rchar", "syscw", "wchar")
    return reads + writes, read + written


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


class Growing:
    """A copy of an array in which, before each write, lies what was written before it: chunks are there, empty, and half full as they were then."""

    def __init__(self, path, axis, warm):
        self.path, self.axis, self.warm = f"{path}.growing", axis, warm
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(path, self.path)
        self.source = tensorstore_array({"driver": "file", "path": str(path)}, read=True)
        self.copy = tensorstore_array({"driver": "file", "path": self.path}, read=True, write=True)

    def before(self, wanted):
        """Makes it so; the values to be written."""
        axis, object_length = self.axis, self.copy.chunk_layout.write_chunk.shape[self.axis]
        start, stop = wanted[axis].start, wanted[axis].stop
        low = start // object_length * object_length
        high = min(self.copy.shape[axis], -(-stop // object_length) * object_length)
        along = lambda low, high: (slice(None),) * axis + (slice(low, high),)
        values = self.source[along(low, high)].read().result().copy()
        written = values[along(start - low, stop - low)].copy()
        values[along(start - low, None)] = self.copy.fill_value
        self.copy[along(low, high)].write(values).result()
        if not self.warm:
            for folder, _, names in os.walk(self.path):
                for name in names:
                    with open(os.path.join(folder, name)) as file:
                        os.fsync(file)
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return written

    def after(self, wanted, values):
        """Whether what was written is there."""
        import numpy

        there = self.copy[wanted].read().result()
        if not numpy.array_equal(there, values, equal_nan=values.dtype.kind in "fc"):
            raise SystemExit(f"{self.path}: what was written at {wanted} is not there")

    def end(self):
        shutil.rmtree(self.path)


class Recorder:
    """Times of operations, and what was counted while they ran."""

    def __init__(self, counted):
        self.counted, self.times, self.totals = counted, [], [0] * 6

    def now(self):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        device = io_of_process("read_bytes")[0]
        clock = time.perf_counter_ns()
        return [*self.counted(), device, usage.ru_majflt, usage.ru_utime + usage.ru_stime, clock]

    def add(self, before, ended=None):
        """What was counted since `before`; what counting takes is not of the time that `ended`."""
        now = self.now()
        now[-1] = ended or now[-1]
        self.totals = [total + after - earlier for total, after, earlier in zip(self.totals, now, before)]

    def answer(self, package):
        requests, read, device, faults, cpu_s, elapsed = self.totals
        return {
            "version": version(package),
            "times_ns": self.times,
            "elapsed_s": elapsed / 1e9,
            "requests": requests,
            "bytes": read,
            "faults": faults,
            "device_bytes": device,
            "cpu_s": cpu_s,
            "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }


def reading(told, operations, recorder, read):
    if told["warm"]:
        for wanted in (wanted for calls in operations for wanted in calls):
            read(wanted)
    else:
        started()
    rate = told.get("rate")
    before = recorder.now()
    begin = time.perf_counter_ns()
    for number, calls in enumerate(operations):
        intended = time.perf_counter_ns()
        if rate:
            intended = begin + int(number / rate * 1e9)
            while (early := intended - time.perf_counter_ns()) > 0:
                time.sleep(early / 1e9)
        for wanted in calls:
            read(wanted)
        recorder.times.append(time.perf_counter_ns() - intended)
    recorder.add(before)


def writing(growing, operations, recorder, write):
    started()
    for (wanted,) in operations:
        values = growing.before(wanted)
        before = recorder.now()
        write(wanted, values)
        ended = time.perf_counter_ns()
        recorder.times.append(ended - before[-1])
        recorder.add(before, ended)
        growing.after(wanted, values)


def main(told):
    opened, package = READERS[told["reader"]]
    operations = [[tuple(map(selected, call)) for call in calls] for calls in told["operations"]]
    axis = told.get("writes")
    growing = None if axis is None else Growing(told["path"], axis, told["warm"])
    path = told["path"] if growing is None else growing.path
    access, counted = opened(path, told["latency_ms"], growing is not None)
    recorder = Recorder(counted)
    if growing is None:
        reading(told, operations, recorder, access)
    else:
        try:
            writing(growing, operations, recorder, access)
        finally:
            growing.end()
    json.dump(recorder.answer(package), sys.stdout)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], float(sys.argv[3]))
    else:
        main(json.load(sys.stdin))
