"""docs/formats.md, from the tables that the tests go through and from what the command makes of each of their rows.

    ZARRANGE=target/release/zarrange NEWEST_PYTHON=target/newest-python/bin/python \\
        target/cross-venv/bin/python -W ignore crates/zarrange/tests/cross/page.py > docs/formats.md

What only the newest zarr-python writes is a part of its own, between two marks.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import newest
import test_documents
import test_read
import test_write
import zarr
from formats import (
    CODEC,
    COMPRESSORS,
    FILL,
    FILTERS,
    NATIVE,
    REFUSED,
    TYPE,
    TYPES,
    Row,
    Type,
    codecs_of,
    v3_codecs_of,
    v3_types,
)
from newest_process import newest_process
from stores import CHUNKS, SHAPE, write_group, write_row
from support import flat, metadata, spec, stored, write_v3

HEAD = """# Formats

What of Zarr v2 and v3, as Python writes it, is read, and what becomes of it: always Zarr v3. This page is made by
`crates/zarrange/tests/cross/page.py` from the tables of the tests and from what the command did with each of their rows; a test holds it.

- **Copied** arrays (no SPEC names them) keep their stored bytes where the codecs of v3 can describe them; where they cannot, they are
  encoded anew.
- **Rechunked** arrays keep their codecs, but for those that would change values again: those are left out, and named.
- **Refused** is what the command says no to, in its words. It names every such array of a store before anything is written, and `--skip`
  leaves them out.
- What is read is read back from the target by zarr-python, and by xarray and TensorStore where they know it; zarr-python does not know `r24`.
"""
REFUSED_V2 = """### Refused

zarr-python 3.1 cannot read these either; pickles run as programs when they are read.
"""
V3 = """## Zarr v3

What is not known is copied as it is stored, without being read, which is said; to rechunk it is an error. Shards stay where their chunks do,
or as `--shards` says.
"""
NEWEST = """
## Zarr v3 as zarr-python writes it since 3.3

Records with names (`struct`), codecs that pack numbers (`cast_value`, `scale_offset`) and chunks of many sizes (`rectilinear`), tried with
zarr-python 3.4.
"""
BEGIN, END = "<!-- with the newest zarr-python: begin -->\n", "<!-- with the newest zarr-python: end -->\n"

# Types that filters are tried with, if they fit.
FIRST = [TYPE["int32"], TYPE["float32"], TYPE["bool"]]
# Ragged against the chunks of `stores.py`, and of the documents.
TO = {1: ["--chunks", "3"], 2: ["--chunks", "4,2"], 3: ["--chunks", spec(test_read.TARGET)]}
WHY = "left out or refused: why"
# A codec that each type takes.
PLAIN = next(codec for codec in NATIVE if codec.name == "v3-zstd")


# What the command does


def rechunk(src: Path, dst: Path, *options: str, check: bool = True) -> subprocess.CompletedProcess:
    command = [os.environ["ZARRANGE"], "rechunk", src, dst, *options, "--durability", "none"]
    return subprocess.run(command, check=check, capture_output=True, text=True)


def said(done: subprocess.CompletedProcess) -> str:
    """The message, without the name of the command and of the document."""
    return re.sub(r"^zarrange: (/: |\S+/(zarr\.json|\.zarray): )?", "", done.stderr.strip())


def how_copied(src: Path, dst: Path) -> str:
    chunks = [sorted((path / key).read_bytes() for key in stored(path)) for path in (src, dst)]
    return "as stored" if chunks[0] == chunks[1] else "encoded anew"


# Cells and tables


def rows(head: list[str], body: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    # A line of a table ends at a bare bar, in code too.
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def merged(found: Iterable[tuple[str, str, list[str]]], between: str = ", ") -> list[list[str]]:
    """Lines that differ in the second cell alone, in one."""
    alike: dict[tuple, list[str]] = {}
    for first, second, rest in found:
        seconds = alike.setdefault((first, *rest), [])
        if second not in seconds:
            seconds.append(second)
    return [[first, between.join(seconds), *rest] for (first, *rest), seconds in alike.items()]


def code(value) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def codecs(listed: list[dict]) -> str:
    return " ".join(map(codec, listed))


def codec(one: dict) -> str:
    configuration = one.get("configuration", {})
    inner = f" ({codecs(configuration['codecs'])})" if "codecs" in configuration else ""
    return code(one["name"]) + " big-endian" * (configuration.get("endian") == "big") + inner


def name_of(data_type: str | dict) -> str:
    return data_type if isinstance(data_type, str) else data_type["name"]


def details(data_type: str | dict) -> str:
    """What a data type of Zarr v3 is told by, apart from its name."""
    match data_type:
        case {"configuration": {"unit": unit, "scale_factor": factor}}:
            return unit if factor == 1 else f"{factor} {unit}"
        case {"configuration": {"length_bytes": length}}:
            return f"{length} byte{'s' * (length > 1)}"
        case {"configuration": {"fields": fields}}:
            pairs = [[*one.values()] if isinstance(one, dict) else one for one in fields]
            return "(" + ", ".join(f"{name} {name_of(of)}{inner(of)}" for name, of in pairs) + ")"
    return ""


def inner(data_type: str | dict) -> str:
    return f" {found}" if (found := details(data_type)) else ""


def dtype(one: Type) -> str:
    """A data type of Zarr v2."""
    return code(one.v2) + (f" with {code(one.object_codec['id'])}" if one.object_codec else "")


# Zarr v2


def types(place: Path) -> str:
    src, dst = place / "src.zarr", place / "dst.zarr"
    write_group(src)
    for one in TYPES:
        write_row(src / one.name, Row(one, CODEC["none"], FILL["null"]))
    rechunk(src, dst)
    body = merged(
        (
            code(name_of(metadata(dst / one.name)["data_type"])),
            dtype(one),
            [how_copied(src / one.name, dst / one.name)],
        )
        for one in TYPES
    )
    return rows(["v2", "v3", "copied", "rechunked"], [[v2, v3, how, "yes"] for v3, v2, how in body])


def filters(place: Path) -> str:
    src, copy, other = place / "src.zarr", place / "copied.zarr", place / "rechunked.zarr"
    write_group(src)
    tried = {}
    for one in [*COMPRESSORS, *FILTERS]:
        fits = next(each for each in [*FIRST, *TYPES] if one in codecs_of(each))
        tried[one.name] = Row(fits, one, FILL["null"])
        write_row(src / one.name, tried[one.name])
    rechunk(src, copy)
    rechunk(src, other, *TO[2])
    body = []
    for name, row in tried.items():
        given = row.codec.filters_for(row.type)[bool(row.type.object_codec) :]
        given += [row.codec.compressor] if row.codec.compressor else []
        body.append(
            [
                " ".join(code(each["id"]) for each in given) or "none",
                dtype(row.type),
                how_copied(src / name, copy / name),
                *(codecs(metadata(path / name)["codecs"]) for path in (copy, other)),
            ]
        )
    return rows(["v2: filters, compressor", "tried with", "copied", "v3, copied", "v3, rechunked"], body)


def refused_of_v2(place: Path) -> str:
    body = []
    for k, row in enumerate(REFUSED):
        write_row(place / f"{k}.zarr", row)
        what = (
            dtype(row.type) if row.type.refused else f"fill value {code(row.fill.token)} of {dtype(row.type)}"
        )
        body.append([what, said(rechunk(place / f"{k}.zarr", place / "dst.zarr", check=False))])
    return rows(["refused", "why"], body)


# Zarr v3


@dataclass(frozen=True)
class Tried:
    """An array of Zarr v3 and what the command makes of it."""

    document: dict
    copied: str
    rechunked: str
    why: str


def tried(src: Path) -> Tried:
    document = metadata(src)
    copy, other = src.with_suffix(".copied"), src.with_suffix(".rechunked")
    unread = ", unread" if "without being read" in rechunk(src, copy).stderr else ""
    done = rechunk(src, other, *TO[len(document["shape"])], check=False)
    result = "refused" if done.returncode else codecs(metadata(other)["codecs"])
    return Tried(document, how_copied(src, copy) + unread, result, said(done))


def by_type(found: Iterable[Tried]) -> str:
    body = (
        (
            code(name_of(one.document["data_type"])),
            details(one.document["data_type"]),
            [codecs(one.document["codecs"]), one.copied, one.rechunked, one.why],
        )
        for one in found
    )
    return rows(["data type", "of", "stored with", "copied", "rechunked", WHY], merged(body))


def by_codecs(found: Iterable[Tried]) -> str:
    body = (
        (codecs(one.document["codecs"]), stored_as(one.document), [one.copied, one.rechunked, one.why])
        for one in found
    )
    return rows(["codecs", "tried with", "copied", "rechunked", WHY], merged(body))


def stored_as(document: dict) -> str:
    """The data type, and those that it is cast to."""
    casts = [
        one["configuration"]["data_type"] for one in flat(document["codecs"]) if one["name"] == "cast_value"
    ]
    return code(name_of(document["data_type"])) + "".join(f" as {code(name)}" for name in casts)


def write_document(path: Path, change: tuple[str, str]) -> None:
    """An array of a document that zarr-python does not write, with one of its two chunks."""
    (path / "c").mkdir(parents=True)
    (path / "zarr.json").write_text(test_documents.ARRAY_V3.replace(*change))
    (path / "c/1").write_bytes(b"abcdef")


def unknown(place: Path, member: str) -> Iterator[Tried]:
    """Arrays with something in this member that is not known."""
    for name, change in test_documents.UNKNOWN_V3.items():
        path = place / f"{name}.zarr"
        write_document(path, change)
        if name in json.dumps(metadata(path)[member]):
            yield tried(path)


def types_of_v3(place: Path) -> Iterator[Tried]:
    for one in v3_types():
        write_v3(place / f"{one.name}.zarr", one, PLAIN)
        yield tried(place / f"{one.name}.zarr")
    write_document(place / "raw-bits.zarr", test_documents.RAW_BITS)
    yield tried(place / "raw-bits.zarr")
    yield from unknown(place, "data_type")


def codecs_of_v3(place: Path) -> Iterator[Tried]:
    text = [TYPE["text"], TYPE["objects-of-bytes"]]
    for one in [*NATIVE, *COMPRESSORS, *FILTERS]:
        if one.v3:
            path = place / f"{one.name}.zarr"
            write_v3(path, next(each for each in [*FIRST, *v3_types()] if one in v3_codecs_of(each)), one)
            yield tried(path)
    for one in text:
        write_v3(place / f"{one.name}.zarr", one, PLAIN)
        yield tried(place / f"{one.name}.zarr")
    for one in [FIRST[0], *text]:
        write_v3(place / f"{one.name}-sharded.zarr", one, PLAIN, sharded=True)
        yield tried(place / f"{one.name}-sharded.zarr")
    for name, case in test_read.SHARDS_AMONG_CODECS.items():
        path = place / f"{name}.zarr"
        zarr.create_array(path, shape=test_read.SHAPE, dtype="i4", **case)[...] = 1
        yield tried(path)
    yield from unknown(place, "codecs")


def chunk_keys(place: Path) -> str:
    body = []
    for name, case in test_read.KEYS.items():
        if "zarr_format" not in case:
            path = place / f"{name}.zarr"
            options = {"chunks": CHUNKS, "dtype": "i4", "chunk_key_encoding": case["keys"]}
            zarr.create_array(path, shape=SHAPE, **options)[...] = 1
            tried(path)
            body.append([layout(path.with_suffix(suffix)) for suffix in [".zarr", ".copied", ".rechunked"]])
    return rows(["chunk grid, chunk keys", "copied", "rechunked"], body)


def layout(path: Path) -> str:
    document = metadata(path)
    keys = document["chunk_key_encoding"]
    separator = keys.get("configuration", {}).get("separator")
    return f"{code(document['chunk_grid']['name'])}, {code(keys['name'])}" + (
        separator and f" {code(separator)}"
    )


def asked_codecs(place: Path) -> str:
    zarr.create_array(place / "src.zarr", shape=test_write.SHAPE, dtype="i4")[...] = 1
    asked = {code(text): text for text in test_write.CODECS}
    asked |= {f"a list in JSON, {name}": json.dumps(one) for name, one in test_write.CODEC_LISTS.items()}
    found = []
    for k, (name, text) in enumerate(asked.items()):
        rechunk(place / "src.zarr", place / f"{k}.zarr", "--codecs", text)
        found.append((codecs(metadata(place / f"{k}.zarr")["codecs"]), name, []))
    return rows(["codecs of the target", "`--codecs`"], merged(found))


def broken(place: Path) -> str:
    body = []
    for name, (right, wrong) in test_documents.BROKEN_V3.items():
        write_document(place / f"{name}.zarr", (right, wrong))
        why = said(rechunk(place / f"{name}.zarr", place / "dst.zarr", check=False))
        body.append([code(right.strip(", ")), code(wrong) if wrong else "nothing", why])
    return rows(["in place of", "there is", "why"], body)


# What only the newest zarr-python writes


def newest_types(place: Path) -> Iterator[Tried]:
    for row in newest.STRUCTS:
        if row.rank:
            yield tried(place / f"{row.name}.zarr")


def newest_codecs(place: Path) -> Iterator[Tried]:
    for row in [*newest.CASTS, *newest.SCALES, *newest.type_rows()]:
        if row.rank:
            yield tried(place / f"{row.name}.zarr")


def newest_grids(place: Path) -> str:
    found = []
    for row in newest.GRIDS:
        path = place / f"{row.name}.zarr"
        one = tried(path)
        shapes = one.document["chunk_grid"]["configuration"]["chunk_shapes"]
        found.append(
            (
                layout(path),
                code(shapes),
                [
                    f"{one.copied}, {layout(path.with_suffix('.copied'))}",
                    layout(path.with_suffix(".rechunked")),
                ],
            )
        )
    return rows(["chunk grid, chunk keys", "chunks", "copied", "rechunked"], merged(found))


def newest_refused(place: Path) -> str:
    body = []
    for one in newest.REFUSED:
        options = TO[one.row.rank]
        done = rechunk(place / f"refused-{one.name}.zarr", place / "none.zarr", *options, check=False)
        body.append([one.name.replace("-", " "), said(done)])
    for name, options, _ in newest.REFUSED_OPTIONS:
        done = rechunk(place / f"{name}.zarr", place / "none.zarr", *options, check=False)
        body.append([f"{code('rectilinear')} with {code(' '.join(options))}", said(done)])
    return rows(["refused", "why"], body)


def of_the_newest(newest_zarr: Callable) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        newest_zarr("write_all", scratch)
        place = Path(scratch)
        return "\n".join(
            [
                NEWEST,
                "### Data types\n",
                by_type(newest_types(place)),
                "### Codecs\n",
                by_codecs(newest_codecs(place)),
                "### Chunk grids\n",
                newest_grids(place),
                "### Refused\n",
                newest_refused(place),
            ]
        )


# The page


def of_all_others() -> str:
    """The page, with nothing between the marks."""
    with tempfile.TemporaryDirectory() as scratch:

        def place(name: str) -> Path:
            (Path(scratch) / name).mkdir()
            return Path(scratch) / name

        return "\n".join(
            [
                HEAD,
                "## Zarr v2\n\n### Data types\n",
                types(place("types")),
                "### Filters and compressors\n",
                filters(place("filters")),
                REFUSED_V2,
                refused_of_v2(place("refused")),
                V3,
                "### Data types\n",
                by_type(types_of_v3(place("types-v3"))),
                "### Codecs\n",
                by_codecs(codecs_of_v3(place("codecs-v3"))),
                "### Codecs that `--codecs` asks for\n",
                asked_codecs(place("asked")),
                "### Chunk grids and chunk keys\n",
                chunk_keys(place("keys")),
                "### Refused\n\nAn array in whose `zarr.json` one thing was changed.\n",
                broken(place("broken")),
                BEGIN + END,
            ]
        )


def halves(page: str) -> tuple[str, str]:
    """All but what stands between the marks, and that."""
    before, begin, rest = page.partition(BEGIN)
    between, end, after = rest.partition(END)
    return before + begin + end + after, between


def main() -> None:
    with newest_process(os.environ["NEWEST_PYTHON"]) as newest_zarr:
        print(of_all_others().replace(BEGIN, BEGIN + of_the_newest(newest_zarr)), end="")


if __name__ == "__main__":
    main()
