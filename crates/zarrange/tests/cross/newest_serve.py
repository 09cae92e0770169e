"""What the newest zarr-python is asked for: a process of the Python that has it (`requirements-newest.txt`).

It takes calls line by line, and answers each with a line; `newest_process.py` is the other end:

    {"call": "write_all", "args": ["FOLDER"]}
"""

import json
import sys
import traceback
import warnings
from pathlib import Path

import compare
import newest_stores
import zarr
from zarr.dtype import Struct, Structured


def differences(source: str, target: str) -> list[str]:
    return compare.differences(Path(source), Path(target))


def xarray_differences(source: str, target: str) -> list[str]:
    return compare.xarray_differences(Path(source), Path(target))


def plain(source: str, target: str) -> None:
    """Writes what there is in `source` as each zarr 3 reads it: in one chunk, without codecs of a kind of its own."""
    for name, node in compare.nodes(Path(source)).items():
        path = Path(target) / name
        if isinstance(node, zarr.Array):
            of = node.metadata.data_type
            array = zarr.create_array(
                path,
                shape=node.shape,
                chunks=tuple(max(n, 1) for n in node.shape),
                dtype=Structured(fields=of.fields) if isinstance(of, Struct) else of,
                fill_value=node.fill_value,
                dimension_names=node.metadata.dimension_names,
                attributes=node.attrs.asdict(),
            )
            array[...] = node[...]
        else:
            zarr.create_group(path, attributes=node.attrs.asdict())


def refusal(path: str) -> str | None:
    """What zarr says to an array that it does not read."""
    try:
        zarr.open_array(path, mode="r")[...]
    except Exception as error:
        return repr(error)
    return None


CALLS = {
    call.__name__: call for call in [newest_stores.write_all, differences, xarray_differences, plain, refusal]
}


def serve() -> None:
    warnings.simplefilter("ignore")
    zarr.config.set({"array.rectilinear_chunks": True})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": CALLS[asked["call"]](*asked["args"])}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
