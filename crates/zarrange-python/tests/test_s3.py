"""Objects in S3, by both of its clients: a server of the protocol in a process of its own."""

import os
import socket
import subprocess
import sys
import time
import uuid

import numpy as np
import pytest
import s3fs
import xarray as xr
import zarr
from conftest import array, numbered
from obstore.store import S3Store

import zarrange

BUCKET = "survey"


@pytest.fixture(scope="session")
def endpoint():
    """The address of a server with an empty bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    keys = {"AWS_ACCESS_KEY_ID": "night", "AWS_SECRET_ACCESS_KEY": "watch", "AWS_DEFAULT_REGION": "us-east-1"}
    before = dict(os.environ)
    os.environ |= keys
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            assert server.poll() is None, "the server ended"
            time.sleep(0.1)
        s3fs.S3FileSystem(endpoint_url=address).mkdir(BUCKET)
        yield address
    finally:
        server.terminate()
        server.wait()
        os.environ.clear()
        os.environ.update(before)


class Place:
    """A new place in the bucket, as `zarrange.rechunk` and zarr-python are given it."""

    def __init__(self, client, endpoint):
        self.key = uuid.uuid4().hex
        self._client, self._endpoint = client, endpoint
        #: For URLs.
        self.options = {"storage_options": {"endpoint_url": endpoint}} if client == "URL" else {}

    def given(self):
        return f"s3://{BUCKET}/{self.key}" if self._client == "URL" else self.store(self._client)

    def store(self, client):
        """The same place by another client."""
        if client == "obstore":
            made = S3Store(
                BUCKET, prefix=self.key, endpoint=self._endpoint, client_options={"allow_http": True}
            )
            return zarr.storage.ObjectStore(made)
        made = s3fs.S3FileSystem(endpoint_url=self._endpoint, asynchronous=True)
        return zarr.storage.FsspecStore(made, path=f"{BUCKET}/{self.key}")

    def keys(self):
        # Nothing of what was listed before.
        made = s3fs.S3FileSystem(
            endpoint_url=self._endpoint, use_listings_cache=False, skip_instance_cache=True
        )
        return made.find(f"{BUCKET}/{self.key}")


CLIENTS = ["URL", "fsspec", "obstore"]


@pytest.fixture(params=CLIENTS)
def place(request, endpoint):
    return Place(request.param, endpoint)


@pytest.mark.parametrize("shards", [None, (80, 20)])
def test_an_array_goes_there_and_comes_back(place, shards):
    source = array(attributes={"unit": "Jy"})
    options = {"shards": shards} if shards else {}
    target = place.given()
    made = zarrange.rechunk(
        source, (80, 5), "1MB", target, target_options=options, verify="full", **place.options
    )
    assert made.execute().chunks == (80, 5)
    # As the other client sees it.
    other = zarr.open_array(place.store("obstore" if "URL" in str(target) else "fsspec"), mode="r")
    np.testing.assert_array_equal(other[...], numbered((80, 60)))
    assert (other.shards, other.attrs.asdict()) == (shards, {"unit": "Jy"})
    back = zarrange.rechunk(
        place.given(), (8, 60), "1MB", "back.zarr", verify="full", **place.options
    ).execute()
    np.testing.assert_array_equal(back[...], numbered((80, 60)))
    assert zarrange.verify("back.zarr", other)


def test_from_one_place_to_another(place, endpoint):
    zarrange.rechunk(array(), (80, 5), "1MB", place.given(), **place.options).execute()
    target = Place("fsspec", endpoint)
    zarrange.rechunk(place.given(), (5, 60), "1MB", target.given(), verify="full", **place.options).execute()
    np.testing.assert_array_equal(zarr.open_array(target.store("obstore"))[...], numbered((80, 60)))


def test_datasets(place, endpoint):
    given = xr.Dataset(
        {"flux": (("object", "epoch"), numbered((8, 10)))},
        coords={"time": ("epoch", np.arange(10).astype("M8[D]").astype("M8[ns]"))},
    )
    given.to_zarr(place.store("fsspec"), encoding={"flux": {"chunks": (8, 1)}})
    opened = xr.open_zarr(place.store("obstore"))
    target = Place("fsspec", endpoint)
    rechunked = zarrange.rechunk(opened, {"object": 2, "epoch": -1}, "1MB", target.given())
    assert not rechunked._source.computed
    xr.testing.assert_identical(rechunked.execute().compute(), given)
    xr.testing.assert_identical(xr.open_zarr(target.store("obstore")).compute(), given)


def test_what_is_there_is_not_replaced(place):
    zarrange.rechunk(array(), (80, 5), "1MB", place.given(), **place.options).execute()
    before = place.keys()
    with pytest.raises(FileExistsError):
        zarrange.rechunk(array("other.zarr"), (80, 7), "1MB", place.given(), **place.options)
    assert place.keys() == before


def test_what_fails_leaves_no_array(place):
    def stop(phase, moved):
        if moved and phase is None:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        zarrange.rechunk(array(), (80, 5), "1MB", place.given(), **place.options).execute(progress=stop)
    assert not [key for key in place.keys() if key.endswith("zarr.json")]


def test_what_is_not_there_is_told(place):
    with pytest.raises(FileNotFoundError):
        zarrange.rechunk(place.given(), (80, 5), "1MB", "target.zarr", **place.options)
