"""Advice, and the command that measures for it."""

import json
import re
import subprocess
import sys

import pytest
import zarr
from conftest import array

import zarrange

MIX = {"epoch": 0.2, "object": 0.8}
DIMS = ["object", "epoch"]


def test_a_layout_is_advised():
    advice = zarrange.advise(MIX, shape=(50_000, 1_000), dtype="f4", max_files=2_000, top=3)
    assert len(advice.layouts) == 3
    assert advice.best is advice.layouts[0]
    means = [layout.ms for layout in advice.layouts]
    assert means == sorted(means)
    assert set(advice.best.reads) == set(MIX)
    assert advice.best.ms == pytest.approx(sum(MIX[name] * ms for name, ms in advice.best.reads.items()))
    assert all(layout.files <= 2_000 for layout in advice.layouts)
    assert advice.why
    for shown in (repr(advice), advice._repr_html_()):
        assert re.search(r"chunk.*shard.*codecs.*object.*mean", shown)
        assert str(advice.best.chunk) in shown
        assert advice.why.split()[0] in shown


def test_a_day_of_reads_and_writes():
    asked = {"shape": (500_000, 4, 100), "names": ["object", "band", "epoch"], "dtype": "f4"}
    advice = zarrange.advise("object=500/day,write:epoch=20/day", fix={"band": 1}, **asked)
    assert set(advice.best.reads) == {"object+band", "write:epoch"}
    assert advice.values["per_day"] == 520
    # One that is only written has no neighbours in its chunks and shards.
    written = zarrange.advise("write:epoch=1", **asked).best
    assert (written.shard or written.chunk)[2] == 1


def test_what_is_without_effect_is_said():
    with pytest.warns(UserWarning, match="accesses: zarr-python keeps no shard open"):
        zarrange.advise(MIX, shape=(50_000, 1_000), dtype="f4", accesses=5)


@pytest.mark.parametrize("how", ["array", "path"])
def test_a_sample_tells_the_rest(how, tmp_path):
    source = array(dimension_names=DIMS, shape=(400, 300), chunks=(400, 1))
    advice = zarrange.advise("epoch=0.2,object=0.8", sample=source if how == "array" else "source.zarr")
    assert advice.values["sample"] == str(tmp_path / "source.zarr")
    (chosen,) = (codec["name"] for codec in advice.values["codecs"] if codec["chosen"])
    assert {layout.codecs for layout in advice.layouts} == {chosen}
    assert advice.codec_why in repr(advice)
    made = zarrange.rechunk(source, advice.best.chunk, "10MB", "target.zarr").execute()
    assert made.chunks == advice.best.chunk


def test_layouts_are_measured():
    array(dimension_names=DIMS, shape=(400, 300), chunks=(400, 1))
    advice = zarrange.advise(MIX, sample="source.zarr", codecs=["zstd:1"], measure=True)
    assert all(measured["measured_ms"] > 0 for measured in advice.values["measured"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "shape"),
        ({"shape": (10,), "dtype": "U3"}, "dtype"),
        ({"shape": (10, 10), "dtype": "f4", "max_files": 0}, "max_files"),
        ({"shape": (10, 10), "dtype": "f4", "reader": "nobody"}, "reader"),
        ({"shape": (10, 10, 10), "dtype": "f4", "names": ["a", "b", "c"]}, "mix: "),
        ({"shape": (10_000, 10_000), "dtype": "f4", "max_files": 1, "max_mem": 1000}, "no layout keeps"),
        ({"sample": "nothing.zarr"}, "sample .*nothing.zarr"),
        (
            {"shape": (10, 10), "dtype": "f4", "fix": {"band": 1}},
            "band.* is none of the dimensions object, epoch",
        ),
        ({"sample": zarr.create_array({}, shape=(3, 3), dtype="f4")}, "in a folder of this machine"),
    ],
)
def test_what_cannot_be_advised(options, message):
    with pytest.raises(ValueError, match=message) as raised:
        zarrange.advise(MIX, **options)
    assert "--" not in str(raised.value)


def bench(*arguments):
    line = [sys.executable, "-m", "zarrange._bench", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_the_command_starts_itself_through_python():
    done = bench(
        "sweep",
        "--sizes",
        "100x20",
        "--quick",
        "--backends",
        "std",
        "--cache",
        "warm",
        "--out",
        "raw.jsonl",
        "--dir",
        "data",
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in open("raw.jsonl")]
    assert records
    assert not [record for record in records if "unmeasured" in json.dumps(record).lower()]


def test_the_command_says_what_is_wrong():
    done = bench("gate", "--raw", "nothing.jsonl")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
