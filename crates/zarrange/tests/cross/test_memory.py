"""Metadata is part of the promise of --max-mem: a process stays within it and 64 MiB, however large or many documents are."""

import gc
import json
import os
import re
import subprocess
import sys

import pytest
from stores import Token, document
from support import metadata

MAX_MEM = 8_000_000
LARGE = 16 << 20

# The peak of a process is never less than that of the one that started it, so a small one does.
LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss, end="")
sys.exit(os.waitstatus_to_exitcode(status))
"""

ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
}
V2 = {
    "zarr_format": 2,
    "shape": [4],
    "chunks": [4],
    "dtype": "|u1",
    "compressor": None,
    "filters": None,
    "order": "C",
    "fill_value": 0,
}

# Attributes of almost 16 MiB, the most that is read.
ATTRIBUTES = {
    "objects": '{"a":[' + ",".join(['{"":0}'] * 2_200_000) + "]}",
    "numbers": '{"a":[' + ",".join(["0"] * 8_000_000) + "]}",
    "string": '{"a":"' + "é" * (LARGE // 2 - 1000) + '"}',
    "deep": '{"a":[' + ",".join(["[" * 50 + "]" * 50] * 150_000) + "]}",
    "keys": "{" + ",".join(f'"{k:x}":0' for k in range(1_500_000)) + "}",
    "key-twice": "{" + ",".join(f'"{k % 400_000:x}":{k}' for k in range(1_000_000)) + "}",
}


@pytest.fixture
def measure(binary):
    """`measure(*args, code=0)`: what the command printed; it stayed within its memory. Its peak is the attribute `peak` then."""

    def measure(*args, code: int = 0, max_mem: int = MAX_MEM) -> str:
        command = [binary, *map(str, args)]
        if args[0] != "info":
            command += ["--max-mem", str(max_mem)]
        if args[0] == "rechunk":
            command += ["--durability", "none"]
        done = subprocess.run(
            [sys.executable, "-S", "-c", LAUNCHER, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed, peak = done.stdout.rsplit("\n", 1)
        measure.peak = int(peak) * 1024
        assert done.returncode == code, printed[:2000]
        assert measure.peak <= max_mem + (64 << 20), f"{args[0]}: {measure.peak / 1e6:.0f} MB"
        return printed

    return measure


def write_array(path, attributes: str, zarr_format: int = 3) -> None:
    path.mkdir(parents=True)
    if zarr_format == 2:
        (path / ".zarray").write_text(json.dumps(V2))
        (path / ".zattrs").write_text(attributes)
        (path / "0").write_bytes(b"\1\2\3\4")
        return
    (path / "zarr.json").write_text(document(**ARRAY, attributes=Token(attributes)))
    (path / "c.0").write_bytes(b"\1\2\3\4")


def write_group(path) -> None:
    path.mkdir(parents=True)
    consolidated = {"kind": "inline", "must_understand": False, "metadata": {}}
    members = {"zarr_format": 3, "node_type": "group", "consolidated_metadata": consolidated}
    (path / "zarr.json").write_text(json.dumps(members))


def check_commands(measure, tmp_path, *spec) -> None:
    """All commands on `src.zarr`, and its copy."""
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    measure("rechunk", src, dst, *spec, "--dry-run")
    measure("rechunk", src, dst, *spec)
    measure("plan", src, tmp_path / "other.zarr", *spec, "--out", tmp_path / "plan.json")
    assert measure("verify", src, dst).startswith("equal")
    measure("info", dst)


@pytest.mark.parametrize("case, zarr_format", [*((case, 3) for case in ATTRIBUTES), ("numbers", 2)])
def test_large_attributes(measure, tmp_path, case, zarr_format):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_array(src, ATTRIBUTES[case], zarr_format)
    check_commands(measure, tmp_path, "--chunks", "2")
    # Millions of lists, which are looked at again and again while they become more.
    gc.disable()
    try:
        assert metadata(dst)["attributes"] == json.loads(ATTRIBUTES[case])
    finally:
        gc.enable()


def test_large_attributes_in_another_order(measure, tmp_path):
    keys = range(1_200_000)
    for name, order in [("a", keys), ("b", reversed(keys)), ("c", [*reversed(keys[1:]), -1])]:
        write_array(tmp_path / name, "{" + ",".join(f'"{k:x}":0' for k in order) + "}")
    assert measure("verify", tmp_path / "a", tmp_path / "b").startswith("equal")
    printed = measure("verify", tmp_path / "a", tmp_path / "c", code=1)
    assert 'attribute "0" is 0 in the first, missing in the second' in printed


def test_what_describes_an_array_may_not_be_that_large(measure, tmp_path):
    write_array(tmp_path / "src.zarr", "{}")
    described = document(**{**ARRAY, "codecs": Token("[" + ",".join(["{}"] * 5_000_000) + "]")})
    (tmp_path / "src.zarr/zarr.json").write_text(described)
    for command in [
        ["rechunk", tmp_path / "src.zarr", tmp_path / "dst.zarr"],
        ["info", tmp_path / "src.zarr"],
    ]:
        assert "take more than 16777216 bytes of memory" in measure(*command, code=1)


def test_a_large_document_is_not_made_too_large(measure, tmp_path):
    write_array(tmp_path / "src.zarr", '{"a":"' + "x" * (LARGE - 50) + '"}', zarr_format=2)
    printed = measure("rechunk", tmp_path / "src.zarr", tmp_path / "dst.zarr", code=1)
    assert "its zarr.json would have" in printed and not (tmp_path / "dst.zarr").exists()


def test_many_arrays(measure, tmp_path):
    write_group(tmp_path / "src.zarr")
    attributes = json.dumps({f"key{k}": f"value {k} of a few words" for k in range(40)})
    for k in range(2000):
        write_array(tmp_path / f"src.zarr/v{k}", attributes)
    check_commands(measure, tmp_path, "--chunks", "2")
    repeated = metadata(tmp_path / "dst.zarr")["consolidated_metadata"]["metadata"]
    assert len(repeated) == 2000 and repeated["v1999"]["attributes"] == json.loads(attributes)


def test_what_many_arrays_need_is_told(measure, tmp_path):
    group = tmp_path / "src.zarr"
    for name in ["", "g" * 250, "h" * 250, "i" * 250]:
        group = group / name
        write_group(group)
    for k in range(5000):
        write_array(group / (f"v{k}" * 60)[:250], "{}")
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    printed = measure("rechunk", src, dst, "--chunks", "2", max_mem=100_000, code=1)
    assert not dst.exists()
    needed = int(re.search(r"raise it to (\d+) or more", printed)[1])
    measure("rechunk", src, dst, "--chunks", "2", max_mem=needed)


def test_names_are_not_kept(measure, tmp_path):
    peaks = []
    for count in [1_000, 60_000]:
        src = tmp_path / f"{count}.zarr"
        write_array(src, "{}")
        (src / "zarr.json").write_text(document(**{**ARRAY, "shape": [4 * count], "attributes": {}}))
        for k in range(1, count // 2):
            (src / f"c.{k}").touch()
            (src / f"a file that is no chunk, number {k}").touch()
        peak = 0
        for command in [["info", src], ["rechunk", src, tmp_path / "dst.zarr", "--dry-run"]]:
            printed = measure(*command)
            peak = max(peak, measure.peak)
            assert f"{count // 2 - 1}" in printed
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 2_000_000, peaks


def test_members_that_cannot_be_opened_are_counted(measure, tmp_path):
    write_group(tmp_path / "src.zarr")
    for k in range(3000):
        (tmp_path / f"src.zarr/v{k}").mkdir()
        (tmp_path / f"src.zarr/v{k}/zarr.json").write_text("{}")
    printed = measure("rechunk", tmp_path / "src.zarr", tmp_path / "dst.zarr", code=1)
    assert "3000 members cannot be carried over" in printed and "\n  and 2000 more\n" in printed
    assert "unreadable: 2000 more" in measure("info", tmp_path / "src.zarr", code=1)
    assert json.loads(measure("info", tmp_path / "src.zarr", "--json", code=1))["unreadable_more"] == 2000
