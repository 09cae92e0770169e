"""`zarrange lightcurve fill` and `get`: within their memory, or refused with what would do."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr
from compare import open_xarray
from support import ALLOWANCE, measured, stored

MIB = 1 << 20


def within(binary, max_mem: int, *args) -> tuple[int, str]:
    """The exit code and what was told, of a command that stays within its memory."""
    code, told, resident = measured(binary, "lightcurve", *args, "--max-mem", max_mem)
    assert resident <= max_mem + ALLOWANCE, (resident / MIB, told)
    return code, told


def refused(binary, max_mem: int, what: str, *args) -> int:
    """The bound that would do, as a command says that is refused."""
    code, told = within(binary, max_mem, *args)
    assert code == 1 and what in told and told.count("\n") == 1, told
    needed = int(re.search(r"\(--max-mem (\d+)\)", told)[1])
    assert needed > max_mem
    return needed


def within_what_would_do(binary, max_mem: int, what: str, *args) -> None:
    """It is refused, and done within the bound that it names."""
    needed = refused(binary, max_mem, what, *args)
    code, told = within(binary, needed, *args)
    assert code == 0, told


def array(store, name: str, shape: tuple, chunks: tuple, **options) -> zarr.Array:
    names = ["object", "epoch", "measurement"][: len(shape)]
    group = zarr.open_group(store, mode="a")
    options = {"dtype": "f4", "fill_value": np.nan, "dimension_names": names, **options}
    return group.create_array(name, shape=shape, chunks=chunks, **options)


@pytest.mark.parametrize("codec", ["zstd:3", "blosc:zstd:5:shuffle", "none"])
def test_a_chunk_that_is_too_large_to_fill(run, binary, tmp_path, codec):
    """Nothing is written of it."""
    store, table = tmp_path / "store", tmp_path / "t.csv"
    run("lightcurve", "create", store, "--objects", 8_000_000, "--epochs", 2, "--codecs", codec)
    table.write_text("object,flux,flux_err\n7,1.5,0.5\n7999999,2.5,0.25\n")
    fill = ["fill", store, table, "--at", "epoch=1", "--threads", "4"]
    needed = refused(binary, 64 * MIB, "a chunk", *fill)
    assert not stored(store / "flux") and not stored(store / "fills/time")
    # The values of the table may need more than its chunks.
    for _ in range(2):
        code, told = within(binary, needed, *fill)
        needed = max([needed, *map(int, re.findall(r"(\d+) would do", told))])
    assert code == 0, told
    flux = zarr.open_group(store, mode="r")["flux"]
    assert flux[[7, 7_999_999], 1, 0].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    "numbers", [["--number", "3"], ["--number", "3", "1999999"], ["--all", "--epoch", "0"]]
)
def test_a_chunk_that_is_too_large_to_read(binary, tmp_path, numbers):
    store = tmp_path / "store"
    flux = array(store, "flux", (2_000_000, 32), (2_000_000, 32))
    flux[3] = np.arange(32)
    get = ["get", store, *numbers, "--out", tmp_path / "rows.csv"]
    within_what_would_do(binary, 16 * MIB, "the chunks and rows of one object", *get)
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == (2 if "--all" in numbers else 33)


def test_a_light_curve_that_is_too_long(binary, tmp_path):
    """Rows take more than values."""
    store = tmp_path / "store"
    flux = array(store, "flux", (3, 300_000, 2), (1, 10_000, 2))
    flux[1] = np.arange(600_000).reshape(300_000, 2)
    for name in ["rows.csv", "rows.parquet", "rows.jsonl"]:
        get = ["get", store, "--number", "1", "--out", tmp_path / name]
        within_what_would_do(binary, 32 * MIB, "the chunks and rows of one object", *get)
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 600_001
    assert pq.read_metadata(tmp_path / "rows.parquet").num_rows == 600_000


def test_labels_that_are_too_long(run, binary, tmp_path):
    """They stand in every row."""
    store, objects, epochs = tmp_path / "store", 3000, 40
    array(store, "flux", (objects, epochs), (100, epochs))[:] = np.arange(objects * epochs).reshape(
        objects, epochs
    )
    group = zarr.open_group(store, mode="a")
    labels = np.array([f"{k:04}" + "x" * 2000 for k in range(objects)])
    made = group.create_array(
        "object", shape=(objects,), chunks=(100,), dtype="str", dimension_names=["object"]
    )
    made[:] = labels
    for name in ["rows.csv", "rows.arrow"]:
        get = ["get", store, "--all", "--out", tmp_path / name]
        assert within(binary, 16 * MIB, *get)[0] == 0
    with pa.ipc.open_file(tmp_path / "rows.arrow") as file:
        rows = sum(file.get_batch(k).num_rows for k in range(file.num_record_batches))
    assert rows == objects * epochs
    # A label of 2 MB is in 40 rows.
    long = group.create_array(
        "object_id", shape=(objects,), chunks=(1,), dtype="str", dimension_names=["object"]
    )
    del group["object"]
    long[:2] = np.array(["short", "y" * 2_000_000], dtype=object)
    get = ["get", store, "--number", "1", "--out", tmp_path / "rows.csv"]
    within_what_would_do(binary, 64 * MIB, "the label of an object", *get)


def test_lists_that_are_too_long(run, binary, tmp_path):
    store, names = tmp_path / "store", tmp_path / "names.txt"
    run("lightcurve", "create", store, "--objects", 3_000_000, "--epochs", 1)
    names.write_text("\n".join(map(str, range(3_000_000))))
    needed = refused(binary, 64 * MIB, "a list of more than", "get", store, "--objects-from", names)
    assert needed < 2_000_000_000
    names.write_text("x" * 200_000_000)
    refused(binary, 32 * MIB, "a list of more than 0", "get", store, "--objects-from", names)


def test_a_chunk_of_labels_that_is_too_large(binary, tmp_path):
    store, count = tmp_path / "store", 400_000
    array(store, "flux", (count, 1), (count, 1))
    group = zarr.open_group(store, mode="a")
    names = ["object"]
    labels = group.create_array("object", shape=(count,), chunks=(count,), dtype="str", dimension_names=names)
    labels[:] = np.array([f"{k:0200}" for k in range(count)])
    (tmp_path / "t.csv").write_text("object,epoch,flux\nx,0,1\n")
    for command in [["get", store, "--object", "x"], ["fill", store, tmp_path / "t.csv"]]:
        code, told = within(binary, 32 * MIB, *command)
        assert code == 1 and "memory" in told, told
    group.create_array("ra", shape=(count,), chunks=(count,), dtype="f8", dimension_names=names)
    group.create_array("dec", shape=(count,), chunks=(count,), dtype="f8", dimension_names=names)
    assert "ra" in within(binary, 16 * MIB, "get", store, "--cone", "1,1,1")[1]


def test_a_shard_that_is_too_large_to_fill(binary, tmp_path):
    """All of it is decoded to be replaced."""
    store, table = tmp_path / "store", tmp_path / "t.csv"
    flux = array(store, "flux", (1_000_000, 32), (1000, 32), shards=(1_000_000, 32))
    table.write_text("object,epoch,flux\n7,3,1.5\n999999,31,2.5\n")
    fill = ["fill", store, table, "--threads", "4"]
    needed = refused(binary, 64 * MIB, "a chunk", *fill)
    assert not (store / "fills").exists()
    code, told = within(binary, needed, *fill)
    assert code == 0 and flux[[7, 999_999], [3, 31]].tolist() == [1.5, 2.5], told


@pytest.mark.parametrize("order", ["epoch", "object"])
def test_large_tables_and_stores(run, binary, tmp_path, order):
    """Tables larger than the memory, sorted so that epochs come one after the other, or all again and again."""
    objects, epochs, max_mem = 100_000, 24, 48 * MIB
    store, table = tmp_path / "store", tmp_path / "rows.parquet"
    run("lightcurve", "create", store, "--objects", objects, "--epochs", epochs, "--layout", "time-blocks:2")
    shape = (objects, epochs)
    o, e = (axis.ravel(order="C" if order == "object" else "F") for axis in np.indices(shape))
    values = (np.arange(o.size) % 8191).astype("f4")
    columns = {"object": o, "epoch": e, "flux": values, "flux_err": values / 2}
    pq.write_table(pa.table(columns), table, row_group_size=20_000)
    code, told = within(binary, max_mem, "fill", store, table, "--threads", "4")
    assert code == 0, told
    expected = np.empty(shape, dtype="f4")
    expected[o, e] = values
    np.testing.assert_array_equal(open_xarray(store)["flux"].values[:, :, 0], expected)
    for name in ["rows.csv", "out.parquet"]:
        code, told = within(binary, max_mem, "get", store, "--all", "--out", tmp_path / name)
        assert code == 0, told
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == objects * epochs


def test_many_small_blocks(run, binary, tmp_path):
    """Of chunks of one object, each block is next to nothing, and what is noted of it is more."""
    objects, epochs = 300, 4000
    store, table = tmp_path / "store", tmp_path / "rows.parquet"
    run("lightcurve", "create", store, "--objects", objects, "--epochs", epochs)
    group = zarr.open_group(store, mode="a", use_consolidated=False)
    del group["flux"], group["flux_err"]
    array(store, "flux", (objects, epochs, 1), (1, epochs, 1))
    rng = np.random.default_rng(3)
    rows = rng.permutation(objects * 400)
    o, e = rows // 400, rows % 400
    pq.write_table(
        pa.table({"object": o, "epoch": e, "flux": rows.astype("f4")}), table, row_group_size=20_000
    )
    code, told = within(binary, 16 * MIB, "fill", store, table)
    assert code == 0, told
