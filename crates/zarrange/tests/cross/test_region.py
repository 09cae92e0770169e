"""A region of a copy is brought up to date: its chunks are those of the source, and nothing else changes."""

import os

import numpy as np
import pytest
import zarr


def fill(group, name, data, *, fill_value, **options):
    array = group.create_array(name, shape=data.shape, dtype=data.dtype, fill_value=fill_value, **options)
    array[...] = data
    return array


def make(path, *, zarr_format=3):
    """A group whose arrays are stored epoch by epoch."""
    group = zarr.create_group(path, zarr_format=zarr_format)
    rng = np.random.default_rng(5)
    names = {} if zarr_format == 2 else {"dimension_names": ("object", "epoch", "band")}
    attributes = (
        {"attributes": {"_ARRAY_DIMENSIONS": ["object", "epoch", "band"]}} if zarr_format == 2 else {}
    )
    flux = rng.random((11, 14, 2)).astype("f4")
    fill(group, "flux", flux, fill_value=np.nan, chunks=(11, 1, 2), **names, **attributes)
    if zarr_format == 3:
        texts = np.array([f"night {k}" for k in range(14)], dtype=object)
        epoch = group.create_array(
            "epoch", shape=(14,), dtype=str, chunks=(4,), dimension_names=("epoch",), fill_value=""
        )
        epoch[...] = texts
        fill(group, "object", np.arange(11), fill_value=0, chunks=(5,), dimension_names=("object",))
    return group


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "layout", [["--chunks", "flux:3,4,1"], ["--chunks", "flux:2,2,1", "--shards", "flux:6,4,2"]]
)
@pytest.mark.parametrize("epochs", [(4, 8), (8, 14), (12, 14), (0, 14)])
def test_a_region_becomes_the_source(run, tmp_path, layout, zarr_format, epochs):
    source, copy = tmp_path / "source.zarr", tmp_path / "copy.zarr"
    group = make(source, zarr_format=zarr_format)
    run("rechunk", source, copy, *layout)
    before = zarr.open_group(copy)["flux"][...]
    first, end = epochs
    # Values inside and outside of the region change; a chunk becomes nothing but fill value, another one was and is it no more.
    group["flux"][:, first] = np.nan
    group["flux"][:, end - 1] = 7
    group["flux"][:4, first : first + 4] = np.nan
    if first > 0:
        group["flux"][:, 0] = -1
    expected = before.copy()
    expected[:, first:end] = group["flux"][:, first:end]
    region = ["--region", f"epoch={first}:{end}", "--array", "flux", "--verify", "full"]
    assert run("rechunk", source, copy, *region, "--json").json["verified"]
    np.testing.assert_array_equal(zarr.open_group(copy)["flux"][...], expected)
    assert sorted(os.listdir(tmp_path)) == ["copy.zarr", "source.zarr"]
    # Chunks of nothing but fill value are no files, in the copy as in a new target.
    fresh = tmp_path / "fresh.zarr"
    run("rechunk", source, fresh, *layout)
    in_region = [zarr.open_group(path)["flux"].nchunks_initialized for path in [copy, fresh]]
    if (first, end) == (0, 14):
        assert in_region[0] == in_region[1]
        run("verify", copy, fresh)


def test_all_arrays_that_have_the_dimension(run, tmp_path):
    source, copy = tmp_path / "source.zarr", tmp_path / "copy.zarr"
    group = make(source)
    run("rechunk", source, copy, "--chunks", "flux:3,4,1")
    group["flux"][:, 5] = 1
    group["epoch"][6] = "another night"
    group["object"][0] = 100
    run("rechunk", source, copy, "--region", "epoch=4:8", "--verify", "full")
    found = zarr.open_group(copy)
    np.testing.assert_array_equal(found["flux"][...], group["flux"][...])
    assert found["epoch"][6] == "another night"
    assert found["object"][0] == 0


def test_what_cannot_be_said(run, tmp_path):
    source, copy, other = tmp_path / "source.zarr", tmp_path / "copy.zarr", tmp_path / "other.zarr"
    group = make(source)
    run("rechunk", source, copy, "--chunks", "flux:3,4,1")
    make(other)["flux"].resize((11, 13, 2))

    def check(expected, *args):
        done = run("rechunk", *args, check=False)
        assert done.returncode in [1, 2] and expected in done.stderr, done
        np.testing.assert_array_equal(zarr.open_group(copy)["flux"][...], group["flux"][...])

    check("multiple of 4", source, copy, "--region", "epoch=3:8", "--array", "flux")
    check("end at a multiple of 4", source, copy, "--region", "epoch=4:7", "--array", "flux")
    check("and lie inside", source, copy, "--region", "epoch=4:15", "--array", "flux")
    check("and lie inside", source, copy, "--region", "epoch=16:", "--array", "flux")
    check("and lie inside", source, copy, "--region", "object=11:", "--array", "object")
    check(
        "no array has all dimensions of the region", source, copy, "--region", "band=0:1", "--array", "object"
    )
    check("there are", source, copy, "--region", "nights=0:1")
    check("shape", other, copy, "--region", "epoch=0:4", "--array", "flux")
    check("no Zarr array or group here", source, copy, "--region", "epoch=0:4", "--array", "magnitude")
    check(
        "codecs and keys are those of the target",
        source,
        copy,
        "--region",
        "epoch=0:4",
        "--array",
        "flux",
        "--codecs",
        "none",
    )
    check("cannot be used with", source, copy, "--region", "epoch=0:4", "--chunks", "1,1,1")
    check("NAME=FROM:TO", source, copy, "--region", "epoch=0")
    check("nowhere.zarr: not found", source, tmp_path / "nowhere.zarr", "--region", "epoch=0:4")
