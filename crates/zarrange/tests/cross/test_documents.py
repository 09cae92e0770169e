"""Documents as Python writes and reads them, which is not quite JSON: read, and attributes come out as they went in."""

import json
import re

import numpy as np
import pytest
import zarr
from compare import attributes, differences, load, same_json
from stores import Token, document, write_array, write_group
from support import assert_same, metadata

DATA = np.arange(12, dtype="<i4").reshape(4, 3)


# Attributes, as they stand in the document. Python reads each of them, and so does zarr-python.

TOKENS = {
    "nan": "NaN",
    "inf": "Infinity",
    "minus-inf": "-Infinity",
    "nan-in-list": "[1, NaN, [Infinity]]",
    "nan-in-object": '{"a": {"valid_range": [-Infinity, NaN]}}',
}
NUMBERS = {
    "one": "1",
    "one-as-float": "1.0",
    "minus-zero": "-0.0",
    "minus-zero-integer": "-0",
    "2-to-the-53": str(2**53 + 1),
    "2-to-the-63": str(2**63),
    "2-to-the-64": str(2**64),
    "2-to-the-70": str(2**70),
    "minus-2-to-the-65": str(-(2**65) - 1),
    "300-digits": str(7**350),
    "tenth": "0.1",
    "17-digits": "0.30000000000000004",
    "many-digits": "0.1000000000000000055511151231257827021181583404541015625",
    "subnormal": "5e-324",
    "largest": "1.7976931348623157e+308",
    "between": "9007199254740993.0",
    "exponent": "1E+2",
    "float-of-an-integer": "1e22",
    "below-all": "1e-400",
}
TEXTS = {
    "unicode": '"Größe in µm, 日本 😀"',
    "escapes": r'"\u00e9\ud83d\ude00\n\t\"\\\/\b\f\u0000\u001f"',
    "half-a-pair": r'"\ud800"',
    "escaped-key": r'{"\u00e9\u0000": 1}',
    "line-separators": '"\u2028\u2029\x7f"',
    "empty-key": '{"": {"": []}}',
    "key-twice": '{"a": 1, "b": {"c": 2, "c": [3]}, "a": NaN, "a": "last"}',
    "spaces": ' {\r\n\t"a" :  [ ] , "b":{ }\n } ',
    "deep": "[" * 50 + "]" * 50,
    "constants": "[true, false, null]",
    "no-tokens": '{"NaN": ["NaN", "-Infinity"]}',
}
# The last one has only the letters of a token, in a key and in text.
NOT_JSON = [name for name in TOKENS if name != "nan-as-key-and-text"]


def notice(stderr: str) -> list[str]:
    """The lines that say that something was kept that JSON does not have."""
    return [line for line in stderr.splitlines() if re.search(r"\b(NaN|Infinity)\b", line)]


@pytest.mark.parametrize("where", ["array", "group", "consolidated"])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("token", [*TOKENS, *NUMBERS, *TEXTS])
def test_attributes(run, tmp_path, token, zarr_format, where):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    text = {**TOKENS, **NUMBERS, **TEXTS}[token]
    given = document(before=1, it=Token(text), after="x")
    write_store(
        src,
        zarr_format,
        **{"group" if where == "group" else "array": given},
        consolidated=where == "consolidated",
    )
    done = run("rechunk", src, dst)
    for name in ["", "x"]:
        assert same_json(attributes(dst / name), attributes(src / name))
    assert same_json(attributes(dst if where == "group" else dst / "x"), json.loads(given))
    assert len(notice(done.stderr)) == (token in NOT_JSON), done.stderr
    assert not differences(src, dst)
    if where == "consolidated":
        inside = load(dst / "zarr.json")["consolidated_metadata"]["metadata"]["x"]["attributes"]
        assert same_json(inside, json.loads(given))
    run("info", src, "--json")
    run("verify", src, dst)
    # All but those tokens is JSON.
    if token not in NOT_JSON:
        for path in dst.rglob("zarr.json"):
            json.loads(path.read_text(), parse_constant=pytest.fail)


def write_store(path, zarr_format, *, group="{}", array="{}", consolidated=False):
    """A group with an array `x`, whose attributes are given as texts."""
    if zarr_format == 2:
        write_group(path, group)
        write_array(path / "x", DATA, attributes=array)
        if consolidated:
            described = {
                name: Token((path / name).read_text())
                for name in [".zgroup", ".zattrs", "x/.zarray", "x/.zattrs"]
            }
            (path / ".zmetadata").write_text(
                document(metadata=Token(document(**described)), zarr_consolidated_format=1)
            )
        return
    zarr.create_group(path).create_array("x", data=DATA)
    members = {"x": with_attributes(path / "x", array)}
    inline = {"kind": "inline", "must_understand": False, "metadata": Token(document(**members))}
    more = {"consolidated_metadata": Token(document(**inline))} if consolidated else {}
    with_attributes(path, group, **more)


def with_attributes(path, text: str, **more) -> Token:
    """Puts attributes into `zarr.json`, as text."""
    described = Token(document(**{**metadata(path), "attributes": Token(text), **more}))
    (path / "zarr.json").write_text(described)
    return described


def test_a_notice_is_one_line_for_the_whole_store(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src, '{"a": NaN}')
    for name in "xyz":
        write_array(src / name, DATA, attributes='{"valid": [NaN, -Infinity]}')
    done = run("rechunk", src, dst)
    assert len(notice(done.stderr)) == 1


# Documents of Zarr v2 that zarr-python reads

BOM = "\ufeff"
DOCUMENTS = {
    "bom": lambda text: BOM + text,
    "spaces": lambda text: "\n\t " + text.replace(",", " \r\n,") + "\n\n",
    "key-twice": lambda text: '{"fill_value": "?", ' + text[1:],
    "more-members": lambda text: (
        text[:-1] + ', "_NCZARR_ARRAY": {"dimrefs": ["/x"], "storage": "chunked"}, "x": NaN}'
    ),
    "no-filters-as-list": lambda text: text.replace('"filters": null', '"filters": []'),
    "no-separator": lambda text: text,
    "separator": lambda text: text[:-1] + ', "dimension_separator": "."}',
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_of_v2(run, tmp_path, case):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_group(src)
    write_array(src / "x", DATA, chunks=(3, 2), fill="7", attributes="{}", missing=[(1, 0)])
    for name in ["x/.zarray", *([".zgroup", ".zattrs", "x/.zattrs"] if case == "bom" else [])]:
        (src / name).write_text(DOCUMENTS[case]((src / name).read_text()), encoding="utf-8")
    run("rechunk", src, dst, "--chunks", "x:2,2")
    assert zarr.open_array(dst / "x").fill_value == 7
    assert not differences(src, dst)
    run("verify", src, dst)


def test_documents_of_v3_with_a_bom(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_store(src, 3)
    for path in src.rglob("zarr.json"):
        path.write_text(BOM + path.read_text(), encoding="utf-8")
    run("rechunk", src, dst, "--chunks", "x:2,2")
    assert not differences(src, dst)
    run("verify", src, dst)


def test_a_bom_is_not_passed_on(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_store(src, 2)
    (src / "x/.zattrs").write_text(BOM + '{"a": 1}', encoding="utf-8")
    run("rechunk", src, dst)
    assert (dst / "x/zarr.json").read_bytes().startswith(b"{")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_large_consolidated_metadata(run, tmp_path, zarr_format):
    # 250 arrays with 80 kB of attributes each: 20 MB, of which no document of a member has much.
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    history = {"history": "é" * 80_000 if zarr_format == 2 else "e" * 80_000}
    root = zarr.open_group(src, mode="w", zarr_format=zarr_format)
    for k in range(250):
        root.create_array(f"a{k}", shape=(), dtype="i4", attributes=history)
    zarr.consolidate_metadata(src, zarr_format=zarr_format)
    kept = src / (".zmetadata" if zarr_format == 2 else "zarr.json")
    assert kept.stat().st_size > 17 * 2**20
    run("rechunk", src, dst)
    members = dict(zarr.open_group(dst, mode="r", use_consolidated=True).arrays())
    assert len(members) == 250 and members["a249"].attrs.asdict() == history
    run("info", src)
    run("verify", src, dst)


# Fill values are written as JSON, whatever the source has.


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", '"NaN"'])
def test_fill_values_that_are_tokens(run, tmp_path, token):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    write_array(src, np.arange(6, dtype="<f4"), chunks=(3,), fill=token, missing=[(1,)])
    done = run("rechunk", src, dst, "--chunks", "2")
    assert not notice(done.stderr)
    assert json.loads((dst / "zarr.json").read_text(), parse_constant=pytest.fail)[
        "fill_value"
    ] == token.strip('"')
    expected = np.array([0, 1, 2, *[float(token.strip('"'))] * 3], "f4")
    assert_same(zarr.open_array(dst)[...], expected, "values")


# What is broken is told in words of the format, never in those of a parser.

PARSER_WORDS = re.compile(
    "expected value|expected ident|untagged|missing field|unknown field|unknown variant|invalid (type|value|length)"
    "|EOF while|trailing characters|key must be|control character|lone leading|recursion limit|at line"
    r"|line \d+ column|serde|did not match any variant|ParseIntError|Utf8Error|Custom\(|Some\(|(?-i:\bNone\b)",
    re.IGNORECASE,
)
ARRAY_V2 = (
    '{"zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<i4", "compressor": null, "fill_value": 0, '
    '"order": "C", "filters": null}'
)
ARRAY_V3 = (
    '{"zarr_format": 3, "node_type": "array", "shape": [4], "data_type": "int32", "fill_value": 0, "attributes": {}, '
    '"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}}, '
    '"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, '
    '"codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}'
)
# What is put in the place of what.
BROKEN_V2 = {
    "shape-text": ('"shape": [4]', '"shape": "4"'),
    "shape-negative": ('"shape": [4]', '"shape": [-4]'),
    "shape-float": ('"shape": [4]', '"shape": [4.5]'),
    "shape-huge": ('"shape": [4]', f'"shape": [{2**70}]'),
    "no-shape": ('"shape": [4], ', ""),
    "chunks-zero": ('"chunks": [2]', '"chunks": [0]'),
    "chunks-rank": ('"chunks": [2]', '"chunks": [2, 2]'),
    "chunks-null": ('"chunks": [2]', '"chunks": null'),
    "no-dtype": ('"dtype": "<i4", ', ""),
    "dtype-unknown": ('"<i4"', '"<q9"'),
    "dtype-number": ('"<i4"', "4"),
    "dtype-empty-record": ('"<i4"', "[]"),
    "dtype-odd-record": ('"<i4"', '[["a"]]'),
    "order": ('"order": "C"', '"order": "K"'),
    "fill-object": ('"fill_value": 0', '"fill_value": {"a": 1}'),
    "fill-list": ('"fill_value": 0', '"fill_value": [0]'),
    "compressor-unknown": ('"compressor": null', '"compressor": {"id": "middle-out"}'),
    "compressor-without-id": ('"compressor": null', '"compressor": {"level": 1}'),
    "compressor-text": ('"compressor": null', '"compressor": "zlib"'),
    "filters-text": ('"filters": null', '"filters": "delta"'),
    "filter-unknown": ('"filters": null', '"filters": [{"id": "sieve"}]'),
    "format-4": ('"zarr_format": 2', '"zarr_format": 4'),
    "format-text": ('"zarr_format": 2', '"zarr_format": "2"'),
}
BROKEN_V3 = {
    "shape-text": ('"shape": [4]', '"shape": "4"'),
    "no-shape": ('"shape": [4], ', ""),
    "no-node-type": ('"node_type": "array", ', ""),
    "node-type": ('"node_type": "array"', '"node_type": "tree"'),
    "data-type-object": ('"int32"', '{"name": "numpy.datetime64"}'),
    "data-type-unit": (
        '"int32"',
        '{"name": "numpy.datetime64", "configuration": {"unit": "fortnight", "scale_factor": 1}}',
    ),
    "no-fill": ('"fill_value": 0, ', ""),
    "fill-text": ('"fill_value": 0', '"fill_value": "zero"'),
    "grid": ('"regular"', '"irregular"'),
    "chunk-zero": ('"chunk_shape": [2]', '"chunk_shape": [0]'),
    "keys": ('"name": "default"', '"name": "other"'),
    "separator": ('"separator": "/"', '"separator": "~"'),
    "no-codecs": ('[{"name": "bytes", "configuration": {"endian": "little"}}]', "[]"),
    "must-understand": ('"attributes": {}', '"attributes": {}, "extra": {"must_understand": true}'),
    "format-4": ('"zarr_format": 3', '"zarr_format": 4'),
    "codec-configuration": ('"endian": "little"', '"endian": "middle"'),
}
# Known to nobody here, and yet an array whose stored bytes can be carried over.
UNKNOWN_V3 = {
    "int33": ('"int32"', '"int33"'),
    "octets": ('"name": "bytes"', '"name": "octets"'),
    "numcodecs.sieve": ('"name": "bytes"', '"name": "numcodecs.sieve"'),
}
# In the specification, and not read by zarr-python 3.1.
RAW_BITS = ('"int32", "fill_value": 0', '"r24", "fill_value": [7, 8, 9]')
# A nesting of 500 is the one thing here that zarr-python would read.
TEXT = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "list": lambda text: f"[{text}]",
    "null": lambda text: "null",
    "single-quotes": lambda text: text.replace('"', "'"),
    "trailing-comma": lambda text: text[:-1] + ",}",
    "comment": lambda text: "// an array\n" + text,
    "more": lambda text: text + "}",
    "nul": lambda text: text + "\0",
    "deep": lambda text: text[:-1] + ', "deep": ' + "[" * 500 + "]" * 500 + "}",
}
BROKEN = [
    *((".zarray", name, ARRAY_V2.replace(*change)) for name, change in BROKEN_V2.items()),
    *((".zarray", name, change(ARRAY_V2)) for name, change in TEXT.items()),
    *(("zarr.json", name, ARRAY_V3.replace(*change)) for name, change in BROKEN_V3.items()),
    *(("zarr.json", name, change(ARRAY_V3)) for name, change in TEXT.items()),
    *(
        (".zattrs", name, change('{"a": 1}'))
        for name, change in TEXT.items()
        if name not in ["list", "null", "deep"]
    ),
]


@pytest.mark.parametrize("file, name, text", BROKEN, ids=[f"{file}-{name}" for file, name, _ in BROKEN])
@pytest.mark.parametrize("command", ["rechunk", "info", "verify"])
def test_broken_documents_are_told_without_words_of_a_parser(run, tmp_path, command, file, name, text):
    src, dst, sound = tmp_path / "src.zarr", tmp_path / "dst.zarr", tmp_path / "sound.zarr"
    src.mkdir()
    if file == ".zattrs":
        (src / ".zarray").write_text(ARRAY_V2)
    (src / file).write_text(text)
    write_array(sound, np.arange(4, dtype="<i4"), chunks=(2,))
    args = {"rechunk": [src, dst], "info": [src], "verify": [src, sound]}[command]
    done = run(command, *args, check=False)
    assert done.returncode == 1, done.stderr
    assert str(src) in done.stderr and file in done.stderr, done.stderr
    assert not PARSER_WORDS.search(done.stderr), done.stderr
    assert not dst.exists()


def test_bytes_that_are_no_text(run, tmp_path):
    src = tmp_path / "src.zarr"
    write_array(src, np.arange(4, dtype="<i4"))
    (src / ".zattrs").write_bytes(b'{"name": "Gr\xf6\xdfe"}')
    done = run("rechunk", src, tmp_path / "dst.zarr", check=False)
    assert done.returncode == 1 and ".zattrs" in done.stderr
    assert not PARSER_WORDS.search(done.stderr), done.stderr


@pytest.mark.parametrize("name, change", UNKNOWN_V3.items(), ids=UNKNOWN_V3.keys())
def test_what_is_not_known_is_copied_and_named(run, tmp_path, name, change):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    (src / "c").mkdir(parents=True)
    (src / "zarr.json").write_text(ARRAY_V3.replace(*change))
    (src / "c/1").write_bytes(b"\1\2\3")
    done = run("rechunk", src, dst)
    assert "its stored bytes are copied without being read" in done.stderr and name in done.stderr
    assert (dst / "c/1").read_bytes() == b"\1\2\3"
    before, after = (json.loads((path / "zarr.json").read_text()) for path in (src, dst))
    assert after["data_type"] == before["data_type"]
    assert [codec["name"] for codec in after["codecs"]] == [codec["name"] for codec in before["codecs"]]
    done = run("verify", src, dst)
    assert "only its stored bytes" in done.stderr
    other = tmp_path / "other.zarr"
    done = run("rechunk", src, other, "--chunks", "3", check=False)
    assert done.returncode == 1 and not other.exists()
    assert str(src) in done.stderr and not PARSER_WORDS.search(done.stderr), done.stderr


def test_raw_bits(run, tmp_path):
    src, dst = tmp_path / "src.zarr", tmp_path / "dst.zarr"
    (src / "c").mkdir(parents=True)
    (src / "zarr.json").write_text(ARRAY_V3.replace(*RAW_BITS))
    (src / "c/1").write_bytes(b"abcdef")
    run("rechunk", src, dst, "--chunks", "3")
    assert (metadata(dst)["data_type"], metadata(dst)["fill_value"]) == ("r24", [7, 8, 9])
    assert (dst / "c/0").read_bytes() == b"\7\x08\x09" * 2 + b"abc"
    # Beyond the edge lies the fill value.
    assert (dst / "c/1").read_bytes() == b"def" + b"\7\x08\x09" * 2
    run("verify", src, dst)
