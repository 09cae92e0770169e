"""docs/formats.md, from the table that the tests go through and from what the command makes of each of its rows.

    ZARRANGE=target/release/zarrange target/cross-venv/bin/python crates/zarrange/tests/cross/page.py > docs/formats.md
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from formats import (
    CODEC,
    COMPRESSORS,
    FILL,
    FILLS,
    FILTERS,
    REFUSED_TYPES,
    TYPE,
    TYPES,
    Row,
    Type,
    codecs_of,
)
from stores import write_group, write_row
from support import metadata, stored

HEAD = """# Formats

What of Zarr v2, as Python writes it, is read, and what becomes of it in Zarr v3. This page is made by
`crates/zarrange/tests/cross/page.py` from the table of the tests (`formats.py`) and from what the command did with each row; a test holds it.

- **Copied** arrays (no SPEC names them) keep their stored bytes where the codecs of v3 can describe them; where they cannot, they are encoded anew.
- **Rechunked** arrays keep their codecs, but for filters that would round values again: those are left out, and named.
- Everything in the first two tables is read back by zarr-python 3.1, and by xarray and TensorStore where they know it.
"""
# Types that filters are tried with, if they fit.
FIRST = [TYPE["int32"], TYPE["float32"], TYPE["bool"]]
V3 = """## Zarr v3

Read, written, rechunked and copied: the data types of the specification and those of zarr-python 3.1 (`numpy.datetime64`,
`numpy.timedelta64`, `fixed_length_utf32`, `null_terminated_bytes`, `raw_bytes`, `structured`, `string`, `variable_length_bytes`) with the
codecs `bytes`, `transpose`, `blosc`, `zstd`, `gzip`, `crc32c`, `sharding_indexed`, `vlen-utf8`, `vlen-bytes` and every `numcodecs.*` codec
above. Text and bytes of any length are rechunked, sharded and verified by value.

Copied as they are stored, without being read, which is said: data types and codecs that are not known here (`numcodecs.zfpy`, for
instance). Rechunking them is an error that names the type or codec.
"""


def rechunked(src: Path, *options: str) -> Path:
    """A copy of a group, or one in other chunks."""
    dst = src.parent / ("rechunked" if options else "copied")
    command = [os.environ["ZARRANGE"], "rechunk", src, dst, *options, "--durability", "none"]
    subprocess.run(command, check=True, capture_output=True)
    return dst


def rows(head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def dtype(one: Type) -> str:
    name = one.v2 if isinstance(one.v2, str) else json.dumps(one.v2)
    with_codec = f" with `{one.object_codec['id']}`" if one.object_codec else ""
    # A line of a table ends at a bare bar, in code too.
    return "`" + name.replace("|", "\\|") + "`" + with_codec


def how_copied(src: Path, dst: Path) -> str:
    chunks = [sorted((path / key).read_bytes() for key in stored(path)) for path in (src, dst)]
    return "as stored" if chunks[0] == chunks[1] else "encoded anew"


def codecs(path: Path) -> str:
    return " ".join(f"`{codec['name']}`" for codec in metadata(path)["codecs"])


def types(place: Path) -> str:
    write_group(place)
    for one in TYPES:
        write_row(place / one.name, Row(one, CODEC["none"], FILL["null"]))
    dst = rechunked(place)
    alike: dict[tuple[str, str], list[str]] = {}
    for one in TYPES:
        data_type = metadata(dst / one.name)["data_type"]
        name = data_type if isinstance(data_type, str) else data_type["name"]
        how = how_copied(place / one.name, dst / one.name)
        alike.setdefault((name, how), []).append(dtype(one))
    body = [[", ".join(v2), f"`{v3}`", how, "yes"] for (v3, how), v2 in alike.items()]
    return rows(["v2", "v3", "copied", "rechunked"], body)


def filters(place: Path) -> str:
    write_group(place)
    tried = {}
    for codec in [*COMPRESSORS, *FILTERS]:
        one = next(one for one in [*FIRST, *TYPES] if codec in codecs_of(one))
        tried[codec.name] = Row(one, codec, FILL["null"])
        write_row(place / codec.name, tried[codec.name])
    copy, other = rechunked(place), rechunked(place, "--chunks", "4,2")
    body = []
    for name, row in tried.items():
        given = row.codec.filters_for(row.type)[bool(row.type.object_codec) :]
        given += [row.codec.compressor] if row.codec.compressor else []
        v2 = " ".join(f"`{codec['id']}`" for codec in given) or "none"
        how = how_copied(place / name, copy / name)
        body.append([v2, dtype(row.type), how, codecs(copy / name), codecs(other / name)])
    return rows(["v2: filters, compressor", "tried with", "copied", "v3, copied", "v3, rechunked"], body)


def refusals() -> str:
    types = [[dtype(one), one.refused] for one in REFUSED_TYPES]
    fills = [
        [f"fill value `{fill.token}` of {', '.join(fill.only)}", fill.refused] for fill in FILLS if fill.refused
    ]
    return rows(["refused", "why"], [*types, *fills])


def page() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        for name in ["types", "filters"]:
            (place / name).mkdir()
        return "\n".join([
            HEAD,
            "## Data types of Zarr v2\n",
            types(place / "types/src.zarr"),
            "## Filters and compressors of Zarr v2\n",
            filters(place / "filters/src.zarr"),
            "## Refused\n\nzarr-python 3.1 cannot read these either; pickles run as programs when they are read. An error names every such array of a\n"
            "store before anything is written, and `--skip` leaves them out.\n",
            refusals(),
            V3,
        ])


if __name__ == "__main__":
    print(page(), end="")
