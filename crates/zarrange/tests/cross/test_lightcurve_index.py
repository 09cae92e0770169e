"""The index of labels: made when it is needed, never shown by readers of Zarr, and never used of labels as they were."""

import json
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from compare import open_xarray

# Fewer labels have no index, and it is made of those that did not change for two seconds.
OBJECTS = 100_000
SETTLED = 2.2

LABELS = {
    "text": np.array([f"I{k * 7919 % 1_000_003}" for k in range(OBJECTS)], dtype=object),
    "fixed": np.array([f"é{k * 7919 % 1_000_003}" for k in range(OBJECTS)]),
    "bytes": np.array([f"I{k * 7919 % 1_000_003}" for k in range(OBJECTS)]).astype("S"),
    "integer": np.arange(OBJECTS, dtype="i8") * 7919 % 1_000_003 + 2**60,
}


def text(label) -> str:
    return label.decode() if isinstance(label, bytes) else str(label)


def make(path: Path, labels: np.ndarray) -> None:
    """A store of somebody else: the value of an object is its number."""
    root = zarr.create_group(path)
    dimensions = {"dimension_names": ["object", "epoch"]}
    flux = root.create_array("flux", shape=(OBJECTS, 1), chunks=(50_000, 1), dtype="f4", **dimensions)
    flux[:, 0] = np.arange(OBJECTS)
    dtype = "string" if labels.dtype == object else labels.dtype
    array = root.create_array(
        "object", shape=OBJECTS, chunks=(30_000,), dtype=dtype, dimension_names=["object"]
    )
    array[:] = labels


def index(path: Path) -> Path:
    return path / "object/.zarrange-labels"


@pytest.fixture
def get(run):
    """`get(path, labels)`: the values of these objects, in the order of the store."""

    def get(path, *labels) -> dict[str, float]:
        found = run("lightcurve", "get", path, "--object", *map(text, labels), "--format", "jsonl").stdout
        return {str(row["object"]): row["flux"] for row in map(json.loads, found.splitlines())}

    return get


def seen(path: Path) -> tuple:
    """What readers of Zarr see, who warn of what they do not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        members = zarr.open_group(path, mode="r").members(max_depth=None)
        tree = xr.open_datatree(path, engine="zarr", consolidated=False)
        return open_xarray(path).load(), sorted(name for name, _ in members), sorted(tree.subtree_with_keys)


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
@pytest.mark.parametrize("kind", LABELS)
def test_an_index_is_not_shown_and_not_trusted_when_stale(run, get, tmp_path, kind):
    store, copy, labels = tmp_path / "store", tmp_path / "copy", LABELS[kind].copy()
    make(store, labels)
    some = [0, 1, 29_999, 30_000, OBJECTS - 1]

    def check(path: Path, labels: np.ndarray) -> None:
        assert get(path, *labels[some]) == {text(labels[k]): float(k) for k in some}
        missing = run("lightcurve", "get", path, "--object", "nobody", check=False)
        assert missing.returncode == 1
        for part in [f"there are {OBJECTS}", *map(text, labels[:5])]:
            assert part in missing.stderr

    # Labels that have just been written are read.
    check(store, labels)
    before = zarr_objects(store)
    time.sleep(SETTLED)
    check(store, labels)
    assert index(store).stat().st_size == 64 + 16 * OBJECTS
    made = index(store).stat()
    assert before == zarr_objects(store)
    check(store, labels)
    assert index(store).stat().st_ino == made.st_ino, "it is made once"
    # A copy has none, and is compared without a word of it.
    run("rechunk", store, copy, "--chunks", "flux:1000,1")
    assert not index(copy).exists()
    compared = run("verify", store, copy)
    assert "not compared" not in compared.stdout + compared.stderr
    time.sleep(SETTLED)
    check(copy, labels)
    assert index(copy).exists()
    run("verify", store, copy)
    # Labels that zarr-python has changed: two have changed places, so that their chunk may have the same size.
    labels[[1, 29_999]] = labels[[29_999, 1]]
    zarr.open_group(store, mode="r+")["object"][:30_000] = labels[:30_000]
    check(store, labels)
    assert index(store).stat().st_ino == made.st_ino, "it is stale"
    time.sleep(SETTLED)
    check(store, labels)
    assert index(store).stat().st_ino != made.st_ino, "it was made again"
    check(store, labels)


def zarr_objects(path: Path) -> list:
    """Every file that is Zarr, with its bytes."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file != index(path))
    return [(file, file.read_bytes()) for file in files]


@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_readers_of_zarr_see_the_same(run, get, tmp_path):
    store = tmp_path / "store"
    make(store, LABELS["integer"])
    time.sleep(SETTLED)
    before = seen(store)
    get(store, LABELS["integer"][5])
    assert index(store).exists()
    after = seen(store)
    xr.testing.assert_identical(before[0], after[0])
    assert before[1:] == after[1:]
    # What only looks like an index, or is left of one, is none and no part of the store.
    index(store).write_bytes(b"nonsense")
    (store / "object/..zarrange-labels.partial-of-somebody-0").write_bytes(b"begun")
    assert "not Zarr" not in run("verify", store, store).stdout
    assert get(store, LABELS["integer"][5]) == {str(LABELS["integer"][5]): 5.0}
    assert sorted(file.name for file in (store / "object").iterdir()) == [
        ".zarrange-labels",
        "c",
        "zarr.json",
    ]


def test_many_at_once_and_labels_that_are_there_twice(run, tmp_path):
    store, labels = tmp_path / "store", LABELS["text"].copy()
    labels[70_001] = labels[7]
    make(store, labels)
    time.sleep(SETTLED)
    wanted = np.arange(10, OBJECTS, 5)
    (tmp_path / "wanted").write_text("\n".join(labels[wanted[::-1]]))
    many = ["lightcurve", "get", store, "--objects-from", tmp_path / "wanted", "--format", "csv"]
    found = run(*many).stdout.splitlines()[1:]
    assert index(store).exists()
    assert [row.split(",")[0] for row in found] == labels[wanted].tolist()
    twice = run("lightcurve", "get", store, "--object", labels[9], labels[7], check=False)
    assert twice.returncode == 1 and "there twice, as number 7 and 70001" in twice.stderr


def test_a_store_that_cannot_be_written_is_read(run, get, tmp_path):
    """The name of the index is taken, so that none can be made."""
    store = tmp_path / "store"
    make(store, LABELS["integer"])
    index(store).mkdir()
    (index(store) / "mine").write_text("mine")
    time.sleep(SETTLED)
    assert get(store, LABELS["integer"][5]) == {str(LABELS["integer"][5]): 5.0}
    assert (index(store) / "mine").read_text() == "mine"
    assert len(list((store / "object").iterdir())) == 3


def test_zarr_v2_and_chunks_that_are_gone(run, get, tmp_path):
    """What xarray writes as Zarr v2, and a chunk that is removed from it."""
    store, labels = tmp_path / "store", np.arange(OBJECTS)
    dataset = xr.Dataset(
        {"flux": (["object", "epoch"], np.arange(OBJECTS, dtype="f4")[:, None])}, coords={"object": labels}
    )
    encoding = {"object": {"chunks": (30_000,)}, "flux": {"chunks": (30_000, 1)}}
    dataset.to_zarr(store, zarr_format=2, consolidated=True, encoding=encoding)
    time.sleep(SETTLED)
    assert get(store, 5, 99_999) == {"5": 5.0, "99999": 99_999.0}
    made = index(store).stat()
    assert get(store, 5, 99_999) == {"5": 5.0, "99999": 99_999.0}
    assert index(store).stat().st_ino == made.st_ino
    xr.testing.assert_identical(open_xarray(store), dataset)
    (store / "object/1").unlink()
    found = run("lightcurve", "get", store, "--object", 30_001, check=False)
    assert found.returncode == 1 and "there is no object" in found.stderr
