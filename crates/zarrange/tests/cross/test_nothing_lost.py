"""Nothing leaves in silence: what is in a store is copied, or named and left out, or an error before any writing."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time

import numpy as np
import pytest
import zarr
from compare import differences, nodes
from stores import document, write_array, write_group
from support import assert_same, metadata, tree, values

DATA = values("i4", (6, 8))
FORMATS = [2, 3]


@pytest.fixture
def paths(tmp_path):
    # In a folder of their own, so that nothing else lies beside them.
    (tmp_path / "stores").mkdir()
    return tmp_path / "stores/src.zarr", tmp_path / "stores/dst.zarr"


def write(path, zarr_format, names=("x", "group/y")):
    root = zarr.open_group(path, mode="a", zarr_format=zarr_format)
    for name in names:
        root.create_array(name, data=DATA, chunks=(3, 4), attributes={"name": name})
    return path


def check(path, names) -> None:
    """The store holds these arrays, unchanged, and the groups above them, each with a document of its own."""
    found = nodes(path)
    arrays = {name for name, node in found.items() if isinstance(node, zarr.Array)}
    assert arrays == set(names)
    for name in names:
        assert_same(found[name][...], DATA, name)
        assert found[name].attrs.asdict() == {"name": name}
    for name in names:
        for above in list((path / name).relative_to(path).parents):
            assert metadata(path / above)["node_type"] in ["group", "array"]


def fails(run, paths, *args, named=(), code=1) -> str:
    """`rechunk` says what is wrong, all of it, and leaves everything as it was."""
    src, dst = paths
    before = tree(src.parent)
    done = run("rechunk", src, dst, *args, check=False)
    assert done.returncode == code, done.stderr
    missed = [name for name in named if name not in done.stderr]
    assert not missed, f"{missed} not in\n{done.stderr}"
    assert tree(src.parent) == before
    return done.stderr


# Members that are left out


def damage(path, zarr_format, how) -> None:
    kept = path / (".zarray" if zarr_format == 2 else "zarr.json")
    match how:
        case "no-json":
            kept.write_text("not JSON")
        case "unknown":
            # A codec, or in v3, where codecs need not be known to be copied, a grid.
            unknown = (
                {"compressor": {"id": "sieve"}} if zarr_format == 2 else {"chunk_grid": {"name": "hexagonal"}}
            )
            kept.write_text(json.dumps({**json.loads(kept.read_text()), **unknown}))
        case "directory":
            kept.unlink()
            kept.mkdir()
        case "link":
            shutil.rmtree(path)
            path.symlink_to("nowhere")


DAMAGE = ["no-json", "unknown", "directory", "link"]


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("how", DAMAGE)
def test_skip_does_not_open(run, paths, how, zarr_format):
    src, dst = paths
    write(src, zarr_format, ["x", "group/y", "group/broken"])
    damage(src / "group/broken", zarr_format, how)
    fails(run, paths, named=["group/broken", "--skip"])
    run("rechunk", src, dst, "--skip", "group/broken")
    check(dst, ["x", "group/y"])


@pytest.mark.parametrize("zarr_format", FORMATS)
@pytest.mark.parametrize("how", DAMAGE)
def test_only_named_does_not_open_others(run, paths, how, zarr_format):
    src, dst = paths
    write(src, zarr_format, ["x", "group/y", "group/broken"])
    damage(src / "group/broken", zarr_format, how)
    run("rechunk", src, dst, "--chunks", "x:2,2", "--only-named")
    check(dst, ["x"])


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_skip_leaves_out_a_group_and_all_below(run, paths, zarr_format):
    src, dst = paths
    write(src, zarr_format, ["x", "group/y", "group/deep/z", "groups/w"])
    zarr.consolidate_metadata(src)
    (src / "group/notes.txt").write_text("left out with it")
    done = run("rechunk", src, dst, "--skip", "group")
    check(dst, ["x", "groups/w"])
    assert "notes" not in done.stderr
    consolidated = dict(zarr.open_group(dst, mode="r", use_consolidated=True).members(max_depth=None))
    assert consolidated.keys() == {"x", "groups", "groups/w"}


def test_skip_takes_many_names_and_comes_with_chunks(run, paths):
    src, dst = paths
    write(src, 2, ["a", "b", "c/d", "c/e"])
    run("rechunk", src, dst, "--chunks", "a:2,2", "--skip", "b", "c/e", "--skip", "c/d")
    check(dst, ["a"])
    assert zarr.open_array(dst / "a").chunks == (2, 2)
    assert (dst / "c/zarr.json").exists()


def test_skip_of_what_is_not_there(run, paths):
    write(paths[0], 3)
    fails(run, paths, "--skip", "z", named=["z"], code=2)


@pytest.mark.parametrize("zarr_format", FORMATS)
def test_all_that_is_wrong_is_told_at_once(run, paths, zarr_format):
    src, dst = paths
    broken = {f"group/{how}": how for how in DAMAGE}
    write(src, zarr_format, ["x", *broken])
    for name, how in broken.items():
        damage(src / name, zarr_format, how)
    told = fails(run, paths, "--chunks", "x:2,2", named=[*broken, "--skip"])
    assert f"{src}/x" not in told
    # The way round that it tells works.
    run("rechunk", src, dst, "--chunks", "x:2,2", "--skip", *broken)
    check(dst, ["x"])


def test_a_link_to_nowhere_in_place_of_a_chunk(run, paths):
    # As git-annex and DataLad leave what was not fetched: it is not a missing chunk.
    src, _ = paths
    write(src, 3, ["x"])
    chunk = src / "x/c/1/0"
    chunk.unlink()
    chunk.symlink_to("../../../.git/annex/objects/not-fetched")
    fails(run, paths, named=["x", "c/1/0"])
    fails(run, paths, "--chunks", "x:2,2", named=["x", "c/1/0"])


def test_links_to_chunks_are_followed(run, paths):
    src, dst = paths
    write(src, 3, ["x"])
    annex = src.parent / "annex"
    annex.mkdir()
    for k, chunk in enumerate(sorted(path for path in (src / "x/c").rglob("*") if path.is_file())):
        chunk.rename(annex / str(k))
        chunk.symlink_to(os.path.relpath(annex / str(k), chunk.parent))
    run("rechunk", src, dst)
    check(dst, ["x"])


# Groups without a document, and arrays in arrays


@pytest.mark.parametrize("mode", [[], ["--chunks", "meas/r10m/b02:2,2"]], ids=["copied", "rechunked"])
@pytest.mark.parametrize("root", [False, True], ids=["below", "root"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_groups_without_a_document(run, paths, zarr_format, root, mode):
    # zarr-python 3.0.0 wrote such; nczarr and others too.
    src, dst = paths
    names = ["meas/r10m/b02", "meas/r20m/deep/b05", "mask"]
    write(src, zarr_format, names)
    for group in ["meas", "meas/r10m", "meas/r20m", "meas/r20m/deep", *([""] if root else [])]:
        for name in [".zgroup", ".zattrs", "zarr.json"]:
            (src / group / name).unlink(missing_ok=True)
    run("rechunk", src, dst, *mode)
    for name in names:
        assert_same(
            zarr.open_array(dst / name, mode="r")[...], zarr.open_array(src / name, mode="r")[...], name
        )
    # What has no document has none in the target either, so that every reader sees the same of both.
    documents = {str(path.parent.relative_to(dst)) for path in dst.rglob("zarr.json")}
    assert documents == {*names, *([] if root else ["."])}
    run("verify", src, dst)


@pytest.mark.parametrize(
    "mode", [[], ["--chunks", "outer:2,2", "outer/inner:4,4"]], ids=["copied", "rechunked"]
)
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_arrays_in_arrays(run, paths, zarr_format, mode):
    src, dst = paths
    write(src, zarr_format, ["outer"])
    for name in ["outer/inner", "outer/group/deep"]:
        path = src / name
        zarr.create_array(path, data=DATA, chunks=(3, 4), attributes={"name": name}, zarr_format=zarr_format)
    run("rechunk", src, dst, *mode)
    for name in ["outer", "outer/inner", "outer/group/deep"]:
        array = zarr.open_array(dst / name, mode="r")
        assert_same(array[...], DATA, name)
        assert array.attrs.asdict() == {"name": name}
    run("verify", src, dst)
    shutil.rmtree(dst / "outer/inner")
    assert run("verify", src, dst, check=False).returncode == 1


# Files that are not Zarr

FOREIGN = {
    "README.md": b"# A store\n",
    ".DS_Store": b"\0",
    "group/OME/METADATA.ome.xml": b"<OME/>",
    "group/points/points.parquet/part.0.parquet": b"PAR1" + bytes(100),
    "group/zarr.json.bak": b"{}",
    "x/thumbnail.png": b"\x89PNG",
    "x/.zarray.swp": b"",
}


def foreign(path, zarr_format):
    write(path, zarr_format)
    for name, data in FOREIGN.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize("options", [[], ["--foreign", "skip"]], ids=["default", "skip"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_files_left_behind_are_said(run, paths, zarr_format, options):
    src, dst = foreign(paths[0], zarr_format), paths[1]
    done = run("rechunk", src, dst, *options)
    (line,) = [line for line in done.stderr.splitlines() if "not Zarr" in line]
    assert "left behind" in line and str(len(FOREIGN)) in line
    assert any(name in line for name in FOREIGN)
    assert not [
        key for key in tree(dst) if key.rsplit("/", 1)[-1] in {name.rsplit("/", 1)[-1] for name in FOREIGN}
    ]
    check(dst, ["x", "group/y"])


@pytest.mark.parametrize("mode", [[], ["--chunks", "x:2,2"]], ids=["copied", "rechunked"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_files_are_copied(run, paths, zarr_format, mode):
    src, dst = foreign(paths[0], zarr_format), paths[1]
    done = run("rechunk", src, dst, "--foreign", "copy", *mode)
    assert {name: (dst / name).read_bytes() for name in FOREIGN} == FOREIGN
    assert "left behind" not in done.stderr
    check(dst, ["x", "group/y"])


def test_files_are_an_error(run, paths):
    foreign(paths[0], 3)
    told = fails(run, paths, "--foreign", "fail")
    assert str(len(FOREIGN)) in told and any(name in told for name in FOREIGN)


def test_one_file(run, paths):
    src, dst = write(paths[0], 3), paths[1]
    (src / "x/notes.txt").write_text("x")
    assert "x/notes.txt" in run("rechunk", src, dst).stderr


def test_nothing_is_said_where_nothing_is_left(run, paths):
    for zarr_format in FORMATS:
        src, dst = paths[0].with_name(f"src{zarr_format}"), paths[1].with_name(f"dst{zarr_format}")
        write(src, zarr_format)
        zarr.consolidate_metadata(src)
        assert not run("rechunk", src, dst, "--chunks", "x:2,2").stderr
        # v2 has metadata in other files, which nobody misses.
        assert not run("verify", src, dst).stderr


def test_the_source_as_the_only_array(run, paths):
    src, dst = paths
    zarr.create_array(src, data=DATA, chunks=(3, 4), zarr_format=2)
    (src / "notes.txt").write_text("x")
    assert "notes.txt" in run("rechunk", src, dst, "--chunks", "2,2").stderr
    assert "notes.txt" in told(run("verify", src, dst))


# What is no file at all, and metadata that nobody reads


@pytest.mark.parametrize("options", [[], ["--foreign", "copy"]], ids=["skip", "copy"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_what_is_no_file_is_named_and_not_opened(run, paths, zarr_format, options):
    src, dst = write(paths[0], zarr_format), paths[1]
    for name in ["pipe", "x/pipe"]:
        os.mkfifo(src / name)
    (src / "x/link").symlink_to("nowhere")
    told = run("rechunk", src, dst, *options).stderr
    assert "left behind: 3 entries" in told and "x/pipe" in told
    assert not (dst / "pipe").exists() and not (dst / "x/pipe").exists()
    check(dst, ["x", "group/y"])
    assert "3" in run("info", src).stdout and "pipe" in run("verify", src, dst).stderr


@pytest.mark.parametrize("options", [[], ["--foreign", "copy"]], ids=["skip", "copy"])
def test_metadata_that_nobody_reads_is_named(run, paths, options):
    src, dst = write(paths[0], 3), paths[1]
    (src / "alone").mkdir()
    stale = ["alone/.zattrs", "x/.zarray", "x/.zattrs", "group/.zgroup"]
    for name in stale:
        (src / name).write_text("{}")
    (line,) = run("rechunk", src, dst, *options).stderr.splitlines()
    assert (
        line.startswith(f"zarrange: left behind: {len(stale)} files of metadata") and "alone/.zattrs" in line
    )
    assert not [name for name in stale if (dst / name).exists()]
    assert run("info", src, "--json").json["unread_metadata"]["files"] == len(stale)
    assert "alone/.zattrs" in fails(run, (src, dst.with_name("other")), "--foreign", "fail")


def test_a_file_in_the_way_of_chunks_is_found_before_anything_is_written(run, paths):
    src, dst = write(paths[0], 2), paths[1]
    (src / "x/c").write_text("not a directory of chunks, as the target has")
    told = fails(run, paths, "--foreign", "copy")
    assert "x/c" in told and not [*dst.parent.glob(".*partial*")]
    run("rechunk", src, dst, "--foreign", "copy", "--key-separator", ".")
    assert (dst / "x/c").is_file()
    check(dst, ["x", "group/y"])


# Chunk files that no key of the grid names

BESIDE = {
    2: ["2.0", "0.2", "0.0.0", "00.1", "0.-1", "0/0", "0.1.partial", "a.b"],
    3: ["c/2/0", "c/0/2", "c/0.0", "c/00/1", "0.0", "c/1/1.tmp", "d/0/0"],
}


@pytest.mark.parametrize("mode", [[], ["--chunks", "x:2,2"]], ids=["copied", "rechunked"])
@pytest.mark.parametrize("options", [[], ["--foreign", "copy"]], ids=["skip", "copy"])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_chunks_beside_the_grid_are_named(run, paths, zarr_format, options, mode):
    src, dst = write(paths[0], zarr_format), paths[1]
    for key in BESIDE[zarr_format]:
        (src / "x" / key).parent.mkdir(parents=True, exist_ok=True)
        (src / "x" / key).write_bytes(b"\xff" * 48)
    done = run("rechunk", src, dst, *mode, *options, check=False)
    if done.returncode == 0:
        # Whatever became of them, they are no chunks of the target.
        check(dst, ["x", "group/y"])
    assert str(len(BESIDE[zarr_format])) in done.stderr
    assert any(f"x/{key}" in done.stderr for key in BESIDE[zarr_format])
    assert done.returncode == 0 or options
    node, found = info(run, src)
    assert (node["x"]["objects"], node["x"]["missing"]) == (4, 0)
    assert found["files"] == len(BESIDE[zarr_format])


def info(run, path) -> tuple[dict, dict]:
    said = run("info", path, "--json").json
    return {node["path"]: node for node in said["nodes"]}, said["not_zarr"]


def test_nested_chunks_that_the_document_does_not_know(run, paths):
    # Older N5-zarr: `.zarray` says nothing of a separator, which means `.`; zarr-python reads fill values.
    src, dst = paths
    write_array(src, np.arange(48, dtype="<i4").reshape(6, 8), chunks=(3, 4))
    for name in ["0.0", "0.1", "1.0", "1.1"]:
        (src / name[0]).mkdir(exist_ok=True)
        (src / name).rename(src / name.replace(".", "/"))
    node, found = info(run, src)
    assert (node[""]["objects"], node[""]["missing"], node[""]["stored_bytes"]) == (4, 4, 0)
    assert found["files"] == 4 and "0/0" in found["examples"]
    assert "0/0" in run("rechunk", src, dst, "--chunks", "2,2").stderr
    assert not differences(src, dst)


def test_info_names_what_is_not_zarr(run, paths):
    src = foreign(paths[0], 2)
    nodes_, found = info(run, src)
    assert {"x", "group", "group/y"} <= nodes_.keys()
    assert found["files"] == len(FOREIGN) and set(found["examples"]) <= FOREIGN.keys()
    assert "not Zarr" in run("info", src).stdout


# verify says what it did not compare


def told(done) -> str:
    return done.stdout + done.stderr


def test_verify_says_what_it_did_not_compare(run, paths):
    src, dst = write(paths[0], 2), paths[1]
    run("rechunk", src, dst)
    (src / "notes.txt").write_text("x")
    (dst / "group/more.txt").write_text("x")
    done = run("verify", src, dst)
    assert "notes.txt" in told(done) and "group/more.txt" in told(done) and "not compared" in told(done)


# Time follows what is stored


@pytest.mark.parametrize("mode", [[], ["--chunks", "128,128,128"]], ids=["copied", "rechunked"])
def test_a_huge_grid_with_little_in_it(run, paths, mode):
    src, dst = paths
    array = zarr.create_array(src, shape=(100_000,) * 3, chunks=(64,) * 3, dtype="u1")
    places = [0, 64_000, 99_968]
    for k in places:
        array[k : k + 32, k : k + 32, k : k + 32] = 7
    start = time.monotonic()
    run("rechunk", src, dst, *mode)
    run("info", dst)
    assert time.monotonic() - start < 10
    copy = zarr.open_array(dst, mode="r")
    for k in places:
        assert (copy[k : k + 32, k : k + 32, k : k + 32] == 7).all()


@pytest.mark.parametrize("mode", [[], ["--chunks", "100"]], ids=["copied", "rechunked"])
def test_a_huge_grid_with_little_text_in_it(run, paths, mode):
    src, dst = paths
    array = zarr.create_array(src, shape=(10**10,), chunks=(1,), dtype="str")
    array[5], array[10**10 - 1] = "a", "b"
    start = time.monotonic()
    done = run("rechunk", src, dst, *mode, "--json").json
    run("verify", src, dst)
    assert time.monotonic() - start < 10
    copy = zarr.open_array(dst, mode="r")
    assert (copy[5], copy[6], copy[10**10 - 1]) == ("a", "", "b")
    (array,) = done["arrays"]
    assert (array["target_chunks"], array["fill_chunks"]) == (2, 10 ** (8 if mode else 10) - 2)


# Small promises


def test_text_is_in_the_report(run, paths):
    src, dst = paths
    zarr.create_array(src, shape=(3,), chunks=(2,), dtype="str")[...] = ["some", "text", "here"]
    report = run("rechunk", src, dst, "--chunks", "1", "--json").json
    (array,) = report["arrays"]
    # Threads share no chunks.
    assert (array["strategy"], array["target_chunks"]) == ("direct", 3) and array["source_chunk_decodes"] in [
        2,
        3,
    ]
    assert (
        0 < report["peak_budget_bytes"] < 100e6 and report["bytes_read"] > 0 and report["bytes_written"] > 0
    )
    assert "estimated" not in run("rechunk", src, dst, "--chunks", "3", "--overwrite").stdout


def test_text_that_needs_more_memory_says_how_much(run, paths):
    src, dst = paths
    zarr.create_array(src, shape=(300_000,), chunks=(300_000,), dtype="str")[...] = (
        "a name of so many characters"
    )
    memory = 8_000_000
    for _ in range(5):
        done = run("rechunk", src, dst, "--chunks", "100000", "--max-mem", memory, check=False)
        if done.returncode == 0:
            break
        assert str(src) in done.stderr and "max-mem" in done.stderr
        memory = int(re.search(r"raise it to (\d+) or more", done.stderr)[1])
    assert not differences(src, dst)


@pytest.mark.parametrize(("separator", "key"), [("auto", "c/0/0"), ("/", "c/0/0"), (".", "c.0.0")])
@pytest.mark.parametrize("zarr_format", FORMATS)
def test_keys_of_copies(run, paths, zarr_format, separator, key):
    src, dst = write(paths[0], zarr_format), paths[1]
    run("rechunk", src, dst, "--key-separator", separator)
    assert (dst / "x" / key).is_file()
    check(dst, ["x", "group/y"])


def test_copies_of_many_chunks_of_v2_need_few_directories(run, paths):
    src, dst = paths
    data = np.arange(2000, dtype="<i4").reshape(1000, 2)
    zarr.create_array(src, data=data, chunks=(1, 2), zarr_format=2)
    run("rechunk", src, dst)
    assert len([path for path in dst.rglob("*") if path.is_dir()]) < 2
    assert not differences(src, dst)


def test_advice_to_skip_can_be_pasted(run, paths):
    src, dst = write(paths[0], 3), paths[1]
    for name in ["odd one", "it's"]:
        (src / name).mkdir()
        (src / name / "zarr.json").write_text("{")
    told = fails(run, paths)
    advice = told.rsplit("--skip ", 1)[1]
    run("rechunk", src, dst, "--skip", *shlex.split(advice))
    check(dst, ["x", "group/y"])
    # What lies below a member that is left out is left out too.
    run("rechunk", src, dst, "--overwrite", "--skip", *shlex.split(advice), "group", "group/y")
    # Whoever asks for what is not possible wants something else, not less.
    wrong = ["--overwrite", "--skip", *shlex.split(advice), "--chunks", "x:0,1", "group/y:0,1"]
    assert "--skip" not in fails(run, paths, *wrong, code=2)


def test_what_cannot_be_printed_is_an_error(binary, paths):
    write(paths[0], 3)
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary, "info", paths[0]], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "stdout cannot be written" in done.stderr


# Nothing of a store by hand that `write_group` makes is taken for foreign.


def test_a_store_by_hand(run, paths):
    src, dst = paths
    write_group(src, document(title="by hand"))
    write_array(src / "x", DATA, chunks=(3, 4), attributes=document(name="x"))
    write_array(src / "scalar", np.array(3), attributes="{}")
    assert not run("rechunk", src, dst).stderr
    assert not differences(src, dst)
