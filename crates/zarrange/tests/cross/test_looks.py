"""Not seen is not absent: what cannot be looked at, or is no file, is an error or named, in every backend."""

import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from support import metadata, tree

BACKENDS = ["std", "mmap", "io_uring"]

ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4, 4],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 2]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
    "attributes": {},
}
GROUP = {"zarr_format": 3, "node_type": "group", "attributes": {}}
V2_ARRAY = {
    "zarr_format": 2,
    "shape": [4, 4],
    "chunks": [2, 2],
    "dtype": "|u1",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
    "dimension_separator": "/",
}


# Chunks of the arrays, and of those with larger chunks: none has a fill value in it.
CHUNKS = [bytes([k + 1] * 4) for k in range(4)] + [bytes([1, 1, 2, 2] * 2 + [3, 3, 4, 4] * 2)]


def write_array(path: Path, zarr_format: int = 3) -> Path:
    """Four chunks of four bytes, in directories."""
    path.mkdir(parents=True)
    if zarr_format == 2:
        (path / ".zarray").write_text(json.dumps(V2_ARRAY))
        (path / ".zattrs").write_text('{"units": "mag"}')
    else:
        (path / "zarr.json").write_text(json.dumps(ARRAY))
    for k in range(4):
        key = path / f"{'c/' if zarr_format == 3 else ''}{k // 2}/{k % 2}"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_bytes(CHUNKS[k])
    return path


def write_group(path: Path, zarr_format: int = 3) -> Path:
    path.mkdir(parents=True)
    if zarr_format == 2:
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text("{}")
        (path / ".zmetadata").write_text('{"zarr_consolidated_format": 1, "metadata": {}}')
    else:
        (path / "zarr.json").write_text(json.dumps(GROUP))
    write_array(path / "kept", zarr_format)
    write_array(path / "group/x", zarr_format)
    if zarr_format == 2:
        (path / "group/.zgroup").write_text('{"zarr_format": 2}')
    else:
        (path / "group/zarr.json").write_text(json.dumps(GROUP))
    return path


# What stands in the place of something


def dangling(path: Path) -> None:
    path.symlink_to("../.git/annex/objects/Xk/9f/MD5E-s2")


def circular(path: Path) -> None:
    path.symlink_to(path.name)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def linked_fifo(path: Path) -> None:
    os.mkfifo(f"{path}-elsewhere")
    path.symlink_to(f"{path.name}-elsewhere")


def bound(path: Path) -> None:
    # The name of a socket is short, whatever the folder of the test.
    listener, here = socket.socket(socket.AF_UNIX), Path.cwd()
    os.chdir(path.parent)
    listener.bind(path.name)
    os.chdir(here)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def unsized(path: Path) -> None:
    path.symlink_to("/proc/version")


KINDS = {f.__name__: f for f in [dangling, circular, fifo, linked_fifo, bound, device, unsized]}

# Where it stands, below a group; of both versions.
PLACES = {
    3: [
        "kept/c/1/0",
        "kept/c/1",
        "kept/c",
        "kept/zarr.json",
        "group/x/zarr.json",
        "group/zarr.json",
        "zarr.json",
        "group/x",
    ],
    2: [
        "kept/1/0",
        "kept/1",
        "kept/.zarray",
        "kept/.zattrs",
        "group/.zgroup",
        ".zgroup",
        ".zattrs",
        ".zmetadata",
        "group/x",
    ],
}


def replace(path: Path, kind) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    kind(path)


def ask(binary, *args, user: bool = False) -> subprocess.CompletedProcess:
    """The finished process; one that does not end is a failure."""
    command = [binary, *map(str, args)]
    if user:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def commands(src: Path, good: Path, dst: Path):
    yield "info", src
    yield "verify", src, good
    yield "rechunk", src, dst, "--durability", "none"
    yield "rechunk", src, dst, "--chunks", "kept:4,4", "--verify", "full", "--durability", "none"
    yield "rechunk", src, dst, "--foreign", "copy", "--durability", "none"


def check_told(binary, src: Path, place: str, good: Path, backend: str, *options, user: bool = False) -> None:
    """Whatever is asked of a store, an error or an omission names what is wrong with it."""
    dst = src.parent / "dst.zarr"
    for args in commands(src, good, dst):
        done = ask(binary, *args, "--backend", backend, *options, user=user)
        said = done.stdout + done.stderr
        what = f"{args[0]} {args[3:]} of {place}, {backend}: exit {done.returncode}\n{said}"
        assert "panicked" not in said, what
        # A link on the way is what is wrong, not the name behind it.
        assert Path(place).name in said, what
        if done.returncode == 0:
            assert args[0] == "info" or "left behind" in said, what
            for key, data in tree(dst).items() if dst.exists() else []:
                assert data is None or key.endswith("zarr.json") or data in CHUNKS, f"{key}: {data}\n{what}"
        else:
            assert not dst.exists(), what
        if dst.exists():
            shutil.rmtree(dst)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zarr_format", [3, 2])
def test_what_is_not_a_file_or_directory(binary, tmp_path, zarr_format, kind, backend):
    good = write_group(tmp_path / "good.zarr", zarr_format)
    for place in PLACES[zarr_format]:
        if (place, kind) == (".zmetadata", "unsized"):
            # It is a file; nobody needs to know what is in it.
            continue
        src = write_group(tmp_path / "stores/src.zarr", zarr_format)
        replace(src / place, KINDS[kind])
        check_told(binary, src, place, good, backend)
        shutil.rmtree(tmp_path / "stores")


@pytest.mark.disk
@pytest.mark.parametrize("kind", KINDS)
def test_reads_past_the_page_cache(binary, tmp_path, kind):
    good = write_group(tmp_path / "good.zarr")
    for place in ["kept/c/1/0", "kept/c", "group/zarr.json"]:
        for backend in ["std", "io_uring"]:
            src = write_group(tmp_path / "stores/src.zarr")
            replace(src / place, KINDS[kind])
            check_told(binary, src, place, good, backend, "--direct")
            shutil.rmtree(tmp_path / "stores")


@pytest.mark.parametrize("kind", KINDS)
def test_the_root(binary, tmp_path, kind):
    good = write_group(tmp_path / "good.zarr")
    (tmp_path / "stores").mkdir()
    KINDS[kind](tmp_path / "stores/src.zarr")
    for backend in BACKENDS:
        check_told(binary, tmp_path / "stores/src.zarr", "src.zarr", good, backend)


def test_the_store_lies_below_a_broken_link(binary, tmp_path):
    good = write_group(tmp_path / "good.zarr")
    (tmp_path / "disk").symlink_to("/mnt/not-mounted")
    for args in [("info", "disk/a.zarr"), ("verify", good, "disk/a.zarr"), ("rechunk", good, "disk/a.zarr")]:
        args = [args[0], *(tmp_path / arg for arg in args[1:])]
        done = ask(binary, *args)
        assert done.returncode == 1 and "it leads to /mnt/not-mounted, where nothing is" in done.stderr, done


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_may_not_be_looked_at(binary, tmp_path_factory, backend):
    if os.getuid() != 0:
        pytest.skip("not tested: only root can become another user")
    # Another user reaches no folder of pytest.
    folder = Path("/tmp") / f"zarrange-looks-{os.getpid()}-{backend}"
    folder.mkdir()
    try:
        folder.chmod(0o777)
        command = Path(shutil.copy(binary, folder / "zarrange"))
        command.chmod(0o755)
        for place, mode in [
            ("kept/c/1/0", 0),
            ("kept/c/1", 0),
            ("kept/c/1", 0o644),
            ("kept/c", 0o644),
            ("group/zarr.json", 0),
            ("group/x", 0),
            ("group/x", 0o644),
            ("group/x", 0o111),
            ("group", 0o644),
        ]:
            good, src = write_group(folder / "good.zarr"), write_group(folder / "stores/src.zarr")
            src.parent.chmod(0o777)
            (src / place).chmod(mode)
            try:
                check_told(command, src, place, good, backend, user=True)
            finally:
                (src / place).chmod(0o755)
                shutil.rmtree(src.parent)
                shutil.rmtree(good)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("backend", BACKENDS)
def test_names_that_are_not_utf8(binary, tmp_path, backend):
    good = write_group(tmp_path / "good.zarr")
    src = write_group(tmp_path / "stores/src.zarr")
    write_array(Path(os.fsdecode(os.fsencode(src) + b"/group/l\xe9ger")))
    check_told(binary, src, "ger", good, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_chunks_of_sparse_arrays(binary, tmp_path, backend):
    # Of large grids the names are listed first: what is wrong with one must not make it a missing one.
    for kind in [dangling, fifo, bound, device]:
        for place, separator in [("c/7", "/"), ("c.7", "."), ("c", "/")]:
            src = tmp_path / "stores/src.zarr"
            grid = {"name": "regular", "configuration": {"chunk_shape": [1]}}
            encoding = {"name": "default", "configuration": {"separator": separator}}
            (src / "c").mkdir(parents=True)
            document = {**ARRAY, "shape": [1 << 17], "chunk_grid": grid, "chunk_key_encoding": encoding}
            (src / "zarr.json").write_text(json.dumps(document))
            replace(src / "c", kind) if place == "c" else kind(src / place)
            for args in commands(src, src, tmp_path / "dst.zarr"):
                args = [arg.replace("kept:4,4", "8") if isinstance(arg, str) else arg for arg in args]
                done = ask(binary, *args, "--backend", backend)
                assert done.returncode == 1 and place in done.stdout + done.stderr, f"{kind} {args}: {done}"
            shutil.rmtree(tmp_path / "stores")


# Circles, and links that are none


def test_circles_of_links(binary, tmp_path):
    src = write_group(tmp_path / "stores/src.zarr")
    good = write_group(tmp_path / "good.zarr")
    (src / "a").symlink_to(".")
    (src / "b").symlink_to(".")
    (src / "group/up").symlink_to("../..")
    done = ask(binary, "info", src, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert {node["path"] for node in found["nodes"]} >= {"", "kept", "group", "group/x"}
    told = {one["path"]: one["error"] for one in found["unreadable"]}
    assert {"a", "b"} <= told.keys() and all("a circle of links: it leads to" in e for e in told.values())
    for args in commands(src, good, tmp_path / "stores/dst.zarr"):
        done = ask(binary, *args)
        assert done.returncode == 1 and "a circle of links" in done.stdout + done.stderr, done
    done = ask(
        binary, "rechunk", src, tmp_path / "dst.zarr", "--skip", "a", "b", "group/up", "--durability", "none"
    )
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "dst.zarr").keys() >= {"kept/c/1/0", "group/x/c/1/0"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_links_that_are_no_circle_are_followed(binary, tmp_path, backend):
    src = write_group(tmp_path / "src.zarr")
    write_group(tmp_path / "elsewhere.zarr")
    (src / "linked").symlink_to("../elsewhere.zarr/group")
    (src / "again").symlink_to("group")
    shutil.move(src / "kept/c/1/0", tmp_path / "chunk")
    (src / "kept/c/1/0").symlink_to(tmp_path / "chunk")
    shutil.move(src / "group/x/c/0", tmp_path / "row")
    (src / "group/x/c/0").symlink_to(tmp_path / "row")
    for options in [(), ("--chunks", "kept:4,4")]:
        done = ask(
            binary, "rechunk", src, tmp_path / "dst.zarr", *options, "--backend", backend, "--verify", "full"
        )
        assert done.returncode == 0, done.stderr
        for name in ["linked/x", "again/x", "group/x"]:
            assert metadata(tmp_path / f"dst.zarr/{name}")["shape"] == [4, 4]
        assert ask(binary, "verify", src, tmp_path / "dst.zarr").returncode == 0
        shutil.rmtree(tmp_path / "dst.zarr")


def test_links_that_double(binary, tmp_path):
    src = tmp_path / "src.zarr"
    src.mkdir()
    (src / "zarr.json").write_text(json.dumps(GROUP))
    for k in range(40):
        (src / f"{k}").mkdir()
        (src / f"{k}/x").symlink_to(f"../{k + 1}")
        (src / f"{k}/y").symlink_to(f"../{k + 1}")
    write_array(src / "40")
    done = ask(binary, "info", src)
    assert done.returncode == 1 and "in more than 256 ways" in done.stdout
    assert len([line for line in done.stdout.splitlines() if "ways" in line]) <= 40
    done = ask(binary, "rechunk", src, tmp_path / "dst.zarr")
    assert done.returncode == 1 and "in more than 256 ways" in done.stderr


@pytest.mark.parametrize("key", ["c/0", "c"])
def test_circles_among_chunks(binary, tmp_path, key):
    src = write_array(tmp_path / "src.zarr")
    shutil.rmtree(src / key)
    (src / key).symlink_to(".")
    for args in [("info", src), ("rechunk", src, tmp_path / "dst.zarr", "--chunks", "4,4")]:
        done = ask(binary, *args)
        assert done.returncode == 1 and "circle of links" in done.stdout + done.stderr, done


# Errors of the system, at every call


def traced(binary, log: Path, inject: str, *args) -> subprocess.CompletedProcess:
    command = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-o",
        log,
        "-e",
        f"trace={inject.split(':')[0]}",
        "-e",
        f"inject={inject}",
    ]
    return ask("env", *command, binary, *args)


def needs_strace(tmp_path) -> None:
    if not shutil.which("strace"):
        pytest.skip("not tested: there is no strace")
    if ask("env", "strace", "-o", tmp_path / "log", "true").returncode != 0:
        pytest.skip("not tested: processes may not be traced here")


@pytest.mark.parametrize("error", ["EIO", "ESTALE"])
@pytest.mark.parametrize("call", ["openat", "statx", "fstat", "newfstatat", "getdents64", "pread64"])
def test_errors_of_the_system_are_not_absence(binary, tmp_path, call, error):
    needs_strace(tmp_path)
    src = write_group(tmp_path / "src.zarr")
    good = write_group(tmp_path / "good.zarr")
    dst, log = tmp_path / "dst.zarr", tmp_path / "log"
    options = ["--backend", "std", "--threads", "1", "--chunks", "kept:4,4", "--durability", "none"]
    failures = 0
    for at in range(1, 400):
        done = traced(binary, log, f"{call}:error={error}:when={at}", "rechunk", src, dst, *options)
        injected = "(INJECTED)" in log.read_text()
        if done.returncode == 0:
            same = ask(binary, "verify", good, dst)
            assert same.returncode == 0, f"{call} {at}:\n{done.stderr}{same.stdout}{log.read_text()}"
            shutil.rmtree(dst)
        else:
            failures += 1
            # The loader of programs has its own way to fail.
            assert done.returncode in [1, 127], f"{call} {at}: {done}"
            assert not dst.exists()
        if not injected:
            break
    else:
        pytest.fail("the calls never end")
    if call in ["openat", "getdents64", "pread64"]:
        assert failures > 0


# Chunks, copies of chunks and shards; written by the ring where it writes.
CLOSED = [
    ("std", ["--chunks", "group/x:2,4"]),
    ("std", []),
    ("std", ["--chunks", "group/x:1,1", "--shards", "group/x:2,2"]),
    ("mmap", []),
    ("io_uring", ["--chunks", "group/x:2,4"]),
]


@pytest.mark.parametrize(("backend", "options"), CLOSED)
def test_errors_when_files_are_closed(binary, tmp_path, backend, options):
    needs_strace(tmp_path)
    src = write_group(tmp_path / "stores/src.zarr")
    (src / "notes.txt").write_text("not Zarr")
    dst, log = tmp_path / "stores/dst.zarr", tmp_path / "log"
    args = ["rechunk", src, dst, *options, "--backend", backend, "--threads", "1", "--durability", "none"]
    # Closing what was only read loses nothing.
    args += ["--foreign", "copy", "--verify", "none"]
    assert ask(binary, *args).returncode == 0
    shutil.rmtree(dst)
    failed = set()
    for at in range(1, 400):
        done = traced(binary, log, f"close:error=EIO:when={at}", *args)
        injected = [line for line in log.read_text().splitlines() if "(INJECTED)" in line]
        names = {
            name for line in injected for name in re.findall(r"\.partial-[0-9a-f]*/target/([^>]*)>", line)
        }
        if done.returncode == 0:
            assert not names, f"{names}: the target was published"
            assert ask(binary, "verify", src, dst).returncode == 0
            shutil.rmtree(dst)
        elif done.returncode != 127:  # so the loader of programs fails
            failed |= names
            assert done.returncode == 1 and "close" in done.stderr and "Input/output error" in done.stderr, (
                done
            )
            assert os.listdir(src.parent) == ["src.zarr"]
        if not injected:
            break
    else:
        pytest.fail("the calls never end")
    # Calls are numbered for each thread: those of the second array are hidden by the first.
    assert "notes.txt" in failed and any("zarr.json" in key for key in failed)
    assert any(re.match(r"group/x/c[./]", key) for key in failed), failed
