"""Nothing of a store moves a cursor: whatever is printed has control characters and marks of direction escaped."""

import json
import unicodedata

import pytest
import zarr
from support import metadata

HOSTILE = "\x1b]0;title\x07\x1b[2K\r\x9b31m\u202egnp.\u2066\x7f"
DIRECTIONS = {"\u061c", *map(chr, [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])}

# What is hostile in the document of an array.
DOCUMENTS = {
    "dimension": {"dimension_names": [HOSTILE]},
    "codec": {"codecs": [{"name": "bytes"}, {"name": HOSTILE}]},
    "type": {"data_type": HOSTILE},
    "fill": {"fill_value": HOSTILE},
    "grid": {"chunk_grid": {"name": HOSTILE}},
    "keys": {"chunk_key_encoding": {"name": HOSTILE}},
    "member": {HOSTILE: 1},
    "node": {"node_type": HOSTILE},
    "attribute": {"attributes": {HOSTILE: HOSTILE}},
}


def write(path, **members):
    zarr.create_array(path, shape=(4,), chunks=(2,), dtype="u1", compressors=None)[...] = 7
    (path / "zarr.json").write_text(json.dumps(metadata(path) | members))
    return path


def check(done, *, as_json: bool = False) -> None:
    text = done.stdout + done.stderr
    hidden = {c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in DIRECTIONS}
    assert not hidden, text
    # Also not as a line of its own.
    assert not [line for line in text.split("\n") if line.startswith("equal: forged")]
    if as_json:
        json.loads(done.stdout)


@pytest.mark.parametrize("what", DOCUMENTS)
def test_documents(run, tmp_path, what):
    src, other = write(tmp_path / "src.zarr", **DOCUMENTS[what]), write(tmp_path / "other.zarr")
    check(run("info", src, check=False))
    done = run("info", src, "--json", check=False)
    check(done, as_json=done.returncode == 0)
    check(run("verify", src, other, check=False))
    check(run("verify", other, src, check=False))
    check(run("rechunk", src, tmp_path / "dst.zarr", "--chunks", "3", "--dry-run", check=False))
    check(run("rechunk", src, tmp_path / "dst.zarr", "--chunks", "3", check=False))


@pytest.mark.parametrize("name", [HOSTILE, "a\nequal: forged\nb"], ids=["controls", "lines"])
def test_names(run, tmp_path, name):
    src = tmp_path / "src.zarr"
    zarr.create_group(src)
    write(src / name)
    write(src / f"broken{name}", node_type="none")
    (src / f"note{name}.txt").write_text("")
    check(run("info", src, check=False))
    done = run("rechunk", src, tmp_path / "dst.zarr", check=False)
    assert done.returncode == 1
    check(done)
    done = run("rechunk", src, tmp_path / "dst.zarr", "--skip", f"broken{name}")
    assert "left behind" in done.stderr
    check(done)
    (tmp_path / "dst.zarr" / name / "c/1").write_bytes(b"\1\2")
    for options in [[], ["--json"]]:
        done = run("verify", src / name, tmp_path / "dst.zarr" / name, *options, check=False)
        check(done, as_json=bool(options))
    check(run("rechunk", src, tmp_path / "two.zarr", "--chunks", "q:1", check=False))
