"""The tutorial of light curves: its commands run as they stand there, and what it says is so."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from compare import open_xarray

PROJECT = Path(__file__).parents[4]
PAGE = PROJECT / "docs" / "tutorial-light-curves.md"
CATALOGUES = PROJECT / "datasets" / "monitoring"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_commands_do_what_is_said(binary, tmp_path):
    (tmp_path / "datasets").symlink_to(PROJECT / "datasets")
    path = f"{Path(binary).parent}{os.pathsep}{os.environ['PATH']}"
    printed = []
    for block in blocks("sh"):
        done = subprocess.run(
            ["bash", "-euc", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and done.stderr == "", done
        printed.append(done.stdout)
    _, filled, rechunked, first, near, drawn, night = printed
    assert filled.count("0 rows rejected") == 2 and "112 of 120 epochs are filled, 8 partly" in filled
    assert "verified" in rechunked and first.count("I001") == 9 and (near, drawn) == ("", "")
    assert "1 epochs brought, 1 added" in night and "18.0714" in night
    # The picture of the page is the one that is drawn.
    assert (tmp_path / "I001.svg").read_text() == (PROJECT / "docs" / "folded.svg").read_text()
    objects = pd.read_csv(CATALOGUES / "objects.csv")
    assert set(pq.read_table(tmp_path / "near.parquet")["object"].to_pylist()) < set(objects["object"])
    [python] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", python], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done
    low, high, count = map(float, done.stdout.split())
    assert 18 < low < high < 18.8 and count == 113


def test_the_store_holds_the_catalogues(binary, tmp_path):
    """Every value, as pandas reads the catalogues and xarray the store."""
    (tmp_path / "datasets").symlink_to(PROJECT / "datasets")
    path = f"{Path(binary).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks("sh")[:3]:
        subprocess.run(["bash", "-euc", block], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    for store in ["field.zarr", "by-object.zarr"]:
        curves = open_xarray(tmp_path / store)["lightcurves"].load()
        total = 0
        for channel in ["ch1", "ch2"]:
            rows = pd.read_csv(CATALOGUES / f"{channel}.csv.gz")
            for aperture in ["auto", "3"]:
                for value, column in {"value": "MAG", "uncertainty": "MAGERR"}.items():
                    expected = rows.set_index(["NUMBER", "EPOCH"])[f"{column}_{aperture.upper()}"]
                    found = curves.sel(measurement=f"{channel}_mag_{aperture}", value=value).to_series()
                    found = found.dropna()
                    expected = expected.dropna().astype("f4")
                    assert found.to_dict() == expected.to_dict()
                    total += len(found)
        assert int(curves.notnull().sum()) == total > 19_000


def test_the_catalogues_are_made_again(tmp_path):
    shutil.copy(CATALOGUES / "make.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "make.py"], check=True)
    for file in CATALOGUES.iterdir():
        read = gzip.decompress if file.suffix == ".gz" else bytes
        assert read(file.read_bytes()) == read((tmp_path / file.name).read_bytes()), file.name
