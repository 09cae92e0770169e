"""What the newest zarr-python writes, copied and rechunked, as it reads the target, and as 3.1 does where that can."""

import shutil
from pathlib import Path

import newest
import pytest
import zarr
from compare import differences
from newest import HIERARCHIES, REFUSED, REFUSED_OPTIONS, ROWS, Refused, Row
from support import flat, metadata, plain, spec

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

# By the number of dimensions; ragged against the chunks of the sources.
TO = {1: (4,), 2: (4, 2), 3: (4, 2, 3)}
SHARDS = {1: (8,), 2: (8, 4), 3: (4, 4, 6)}


@pytest.fixture(scope="module")
def sources(tmp_path_factory, newest_zarr) -> Path:
    """A folder with the store of each row, as NAME.zarr."""
    folder = tmp_path_factory.mktemp("newest")
    newest_zarr("write_all", folder)
    return folder


def check(run, newest_zarr, src: Path, dst: Path, options) -> None:
    done = run("rechunk", src, dst, *options)
    assert "not as planned" not in done.stdout, done.stdout
    found = newest_zarr("differences", src, dst)
    if all(map(is_for_zarr_3_1, dst.rglob("zarr.json"))):
        reference = dst.with_suffix(".plain.zarr")
        newest_zarr("plain", src, reference)
        found += [f"zarr 3.1: {one}" for one in differences(reference, dst)]
    assert not found, "\n".join(found)
    run("verify", src, dst)


def is_for_zarr_3_1(path: Path) -> bool:
    """Whether zarr 3.1 reads what a document describes."""
    document = metadata(path.parent)
    if document["node_type"] == "group":
        return True
    names = {codec["name"] for codec in flat(document["codecs"])}
    return (
        document["chunk_grid"]["name"] == "regular"
        and names.isdisjoint({"cast_value", "scale_offset"})
        and is_type_for_zarr_3_1(document, "sharding_indexed" in names)
    )


def is_type_for_zarr_3_1(document: dict, sharded: bool) -> bool:
    match document["data_type"]:
        case {"name": "struct"}:
            return False
        case {"name": "structured"}:
            return isinstance(document["fill_value"], str) and not sharded
        case {"name": "raw_bytes"}:
            return not sharded
        case {"name": "numpy.datetime64", "configuration": {"unit": "generic"}}:
            return False
    return True


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_copied(run, newest_zarr, sources, tmp_path, row: Row):
    src, dst = sources / f"{row.name}.zarr", tmp_path / "dst.zarr"
    check(run, newest_zarr, src, dst, [])
    before, after = metadata(src), metadata(dst)
    assert plain(after.pop("codecs")) == plain(before.pop("codecs"))
    for member in ["data_type", "chunk_grid", "chunk_key_encoding"]:
        assert after[member] == before[member], member


@pytest.mark.parametrize("sharded", [False, True], ids=["chunks", "shards"])
@pytest.mark.parametrize("row", [row for row in ROWS if row.rank], ids=lambda row: row.name)
def test_rechunked(run, newest_zarr, sources, tmp_path, row: Row, sharded: bool):
    src, dst = sources / f"{row.name}.zarr", tmp_path / "dst.zarr"
    chunks, shards = TO[row.rank], SHARDS[row.rank]
    options = ["--chunks", spec(chunks), *(["--shards", spec(shards)] if sharded else [])]
    check(run, newest_zarr, src, dst, options)
    document = metadata(dst)
    assert document["chunk_grid"] == newest.named("regular", chunk_shape=[*(shards if sharded else chunks)])
    inner = [c["configuration"]["chunk_shape"] for c in document["codecs"] if c["name"] == "sharding_indexed"]
    assert inner == ([[*chunks]] if sharded else [])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_info(run, sources, row: Row):
    run("info", sources / f"{row.name}.zarr")


@pytest.mark.parametrize("rechunked", [False, True], ids=["copied", "rechunked"])
@pytest.mark.parametrize("name", HIERARCHIES)
def test_hierarchy(run, newest_zarr, sources, tmp_path, name: str, rechunked: bool):
    src, dst = sources / f"{name}.zarr", tmp_path / "dst.zarr"
    check(run, newest_zarr, src, dst, HIERARCHIES[name] if rechunked else [])
    assert "consolidated_metadata" in metadata(dst)
    if name.startswith("xarray"):
        assert not newest_zarr("xarray_differences", src, dst)
    run("info", src)


@pytest.mark.parametrize("one", REFUSED, ids=lambda one: one.name)
def test_refused(run, newest_zarr, sources, tmp_path, one: Refused):
    src, dst = sources / f"refused-{one.name}.zarr", tmp_path / "dst.zarr"
    # Nothing is refused that zarr-python reads.
    assert newest_zarr("refusal", src)
    # A copy need not know what it copies.
    done = run("rechunk", src, dst, "--chunks", spec(TO[one.row.rank]), check=False)
    assert done.returncode == 1 and not dst.exists()
    assert all(word in done.stderr.replace(str(src), "SRC") for word in ["SRC", one.word]), done.stderr


@pytest.mark.parametrize(("name", "options", "word"), REFUSED_OPTIONS)
def test_refused_options(run, sources, tmp_path, name: str, options: list[str], word: str):
    dst = tmp_path / "dst.zarr"
    done = run("rechunk", sources / f"{name}.zarr", dst, *options, check=False)
    assert done.returncode == 2 and not dst.exists()
    assert all(each in done.stderr for each in ["rectilinear", word]), done.stderr


# The table itself


def test_zarr_3_1_reads_nothing_more(sources):
    # That it reads the others shows where they are compared.
    for row in ROWS:
        path = sources / f"{row.name}.zarr"
        if not is_for_zarr_3_1(path / "zarr.json"):
            with pytest.raises((ValueError, TypeError, KeyError)):
                zarr.open_array(path, mode="r")[...]


def test_the_comparison_sees_a_change(newest_zarr, sources, tmp_path):
    for name in ["pack", "struct-numbers", "grid-2d"]:
        changed = tmp_path / f"{name}.zarr"
        shutil.copytree(sources / changed.name, changed)
        assert not newest_zarr("differences", sources / changed.name, changed)
        (changed / "c/0/0").unlink()
        assert newest_zarr("differences", sources / changed.name, changed)
