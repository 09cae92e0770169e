"""Datasets: what xarray opens is identical to what was rechunked, and only what is stored is read as it is stored."""

import pickle
import warnings

import dask.array
import numcodecs
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from conftest import numbered

import zarrange


def survey(scale=1):
    """A dataset with what light curves have: packed values, times, text, flags, labels, and attributes of many kinds."""
    objects, epochs = 8 * scale, 10
    shape = (objects, epochs)
    flux = numbered(shape)
    flux[-1] = np.nan
    times = np.datetime64("2026-01-01T00:00:00", "ns") + np.arange(epochs) * np.timedelta64(90_061, "s")
    dataset = xr.Dataset(
        {
            "flux": (("object", "epoch"), flux, {"units": "Jy", "range": [0, 1.5], "nested": {"a": [1]}}),
            "packed": (("object", "epoch"), numbered(shape, "f8") / 2),
            "count": (("object", "epoch"), numbered(shape, "i4")),
            "flag": ("object", np.arange(objects) % 3 == 0),
            "wait": ("epoch", np.arange(epochs).astype("m8[h]").astype("m8[ns]")),
            "name": ("object", np.array([f"I{k}" for k in range(objects)])),
            "note": ("object", np.array([f"{'x' * (k % 4)} {k}" for k in range(objects)], dtype=object)),
            "alone": ((), np.float64(2.5)),
        },
        coords={
            "time": ("epoch", times),
            "object": np.arange(objects) * 7,
            "ra": ("object", np.linspace(0, 359, objects), {"units": "deg"}),
        },
        attrs={"title": "night", "n": 3},
    )
    dataset.packed.encoding = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 8.0, "_FillValue": -999}
    dataset.time.encoding = {"units": "seconds since 2020-01-01", "dtype": "i8"}
    return dataset


def check(rechunked, given, computed=None):
    """The target is what xarray would have written; and which variables were computed."""
    if computed is not None:
        assert set(rechunked._source.computed) == set(computed)
    result = rechunked.execute()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = zarr.storage.MemoryStore()
        plain = given.compute()
        for variable in plain.variables.values():
            for key in ("chunks", "shards", "preferred_chunks", "compressors", "filters"):
                variable.encoding.pop(key, None)
        plain.chunk().to_zarr(written, zarr_format=3)
        expected = xr.open_zarr(written)
    xr.testing.assert_identical(result.compute(), expected.compute())
    xr.testing.assert_identical(result.compute(), given.compute())
    for name in given.variables:
        assert result[name].dtype == expected[name].dtype, name
        for key in ("dtype", "scale_factor", "add_offset", "_FillValue", "units", "calendar"):
            was, now = expected[name].encoding.get(key), result[name].encoding.get(key)
            # Of times in memory xarray chooses the unit by the values, of those in dask it does not.
            if name not in ("time", "wait"):
                assert repr(was) == repr(now), (name, key)
    return result


ALL = ["alone", "count", "flag", "flux", "name", "note", "packed", "ra", "time", "wait"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("lazily", ["dask", "xarray"])
@pytest.mark.parametrize("store", ["path", "memory"])
def test_what_is_stored_is_read_as_it_is(zarr_format, lazily, store):
    stored = "source.zarr" if store == "path" else zarr.storage.MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        survey().to_zarr(stored, zarr_format=zarr_format, encoding={"flux": {"chunks": (8, 1)}})
    source = xr.open_zarr(stored, chunks={} if lazily == "dask" else None)
    rechunked = zarrange.rechunk(source, {"object": 2}, "100MB", "target.zarr", verify="full")
    # An index is in memory, and nobody knows where it came from.
    result = check(rechunked, source, computed={"object"})
    assert result.flux.encoding["chunks"] == (2, 1)
    assert result.ra.encoding["chunks"] == (8,)
    assert zarrange.verify(source, "target.zarr")


class Counted(zarr.storage.MemoryStore):
    """Counts what is got."""

    gets = 0

    async def get(self, key, prototype, byte_range=None):
        type(self).gets += 1
        return await super().get(key, prototype, byte_range)


def test_planning_looks_at_each_variable_a_few_times_only():
    counts = []
    for many in (10, 40):
        store = Counted()
        names = [f"v{k}" for k in range(many)]
        xr.Dataset({name: ("x", np.arange(5.0)) for name in names}).to_zarr(store)
        opened = xr.open_zarr(store)
        Counted.gets = 0
        assert not zarrange.rechunk(opened, {"x": 2}, "10MB", {})._source.computed
        counts.append(Counted.gets)
    assert 0 < counts[1] < 4.5 * counts[0]


def altered(dataset):
    dataset = dataset.copy()
    dataset["flux"].attrs["units"] = "mJy"
    return dataset


def with_encoding(dataset, **encoding):
    dataset = dataset.copy()
    dataset["packed"].encoding |= encoding
    return dataset


#: What is done to a dataset, and the variables that are something else then.
DONE = {
    "nothing": (lambda ds: ds, set()),
    "all of it": (lambda ds: ds.isel(object=slice(None), epoch=slice(0, 10)), set()),
    "a copy": (lambda ds: ds.copy(deep=True), set()),
    "attributes": (altered, set()),
    "other names": (lambda ds: ds.rename(flux="f", object="o"), set()),
    "other dimensions": (lambda ds: ds.rename_dims(epoch="night"), set()),
    "a part": (lambda ds: ds.isel(epoch=slice(2, 5)), {"flux", "packed", "count", "time", "wait"}),
    "one of each": (lambda ds: ds.isel(epoch=0), {"flux", "packed", "count", "time", "wait"}),
    "backwards": (
        lambda ds: ds.isel(epoch=slice(None, None, -1)),
        {"flux", "packed", "count", "time", "wait"},
    ),
    "some": (
        lambda ds: ds.isel(object=[0, 3, 3]),
        {"flux", "packed", "count", "flag", "name", "note", "ra"},
    ),
    "doubled": (lambda ds: ds.assign(flux=ds.flux * 2), {"flux"}),
    "doubled with its encoding": (
        lambda ds: ds.assign(
            flux=(ds.flux * 2).assign_attrs(ds.flux.attrs), packed=ds.packed.where(ds.packed > 3)
        ),
        {"flux", "packed"},
    ),
    "transposed": (lambda ds: ds.transpose(), {"flux", "packed", "count"}),
    "one more": (lambda ds: ds.assign(more=("epoch", np.arange(10.0))), {"more"}),
    "exchanged": (lambda ds: ds.assign(flux=ds.flux.copy(data=ds.flux.data + 1)), {"flux"}),
    "another type": (lambda ds: ds.assign(count=ds["count"].astype("i8")), {"count"}),
    "other packing": (lambda ds: with_encoding(ds, scale_factor=0.25), {"packed"}),
    "another fill value": (lambda ds: with_encoding(ds, _FillValue=-7777), {"packed"}),
    "no packing": (lambda ds: ds.drop_encoding(), set(ALL)),
    "a dimension more": (lambda ds: ds.assign(flux=ds.flux.expand_dims(band=2)), {"flux"}),
}


@pytest.mark.parametrize("lazily", ["dask", "xarray"])
@pytest.mark.parametrize("done", DONE)
def test_what_is_not_stored_is_computed(done, lazily):
    survey().to_zarr("source.zarr", encoding={"flux": {"chunks": (8, 1)}, "ra": {"chunks": (3,)}})
    opened = xr.open_zarr("source.zarr", chunks={} if lazily == "dask" else None)
    change, computed = DONE[done]
    changed = change(opened)
    lengths = {"o" if done == "other names" else "object": 2}
    rechunked = zarrange.rechunk(changed, lengths, "100MB", "target.zarr")
    found = set(rechunked._source.computed) - {"object", "o"}
    assert {"f" if done == "other names" and name == "flux" else name for name in computed} == found
    check(rechunked, changed)


def test_an_array_that_was_loaded_and_changed_is_not_the_stored_one():
    survey().to_zarr("source.zarr")
    opened = xr.open_zarr("source.zarr", chunks=None)
    opened["flux"][0, 0] = 1234.5
    result = zarrange.rechunk(opened, {"object": 2}, "100MB", "target.zarr").execute()
    assert result.flux[0, 0] == 1234.5
    opened = xr.open_zarr("source.zarr", chunks=None).load()
    assert set(zarrange.rechunk(opened, {}, "100MB", "other.zarr")._source.computed) == {*ALL, "object"}


@pytest.mark.parametrize(
    "options",
    [{"mask_and_scale": False}, {"decode_times": False}, {"decode_cf": False}, {"use_cftime": True}],
)
def test_datasets_that_were_decoded_otherwise(options):
    pytest.importorskip("cftime") if "use_cftime" in options else None
    survey().to_zarr("source.zarr")
    opened = xr.open_zarr("source.zarr", **options)
    zarrange.rechunk(opened, {"object": 2}, "100MB", "target.zarr").execute()
    xr.testing.assert_identical(xr.open_zarr("target.zarr", **options).compute(), opened.compute())
    xr.testing.assert_identical(xr.open_zarr("target.zarr").compute(), xr.open_zarr("source.zarr").compute())


@pytest.mark.parametrize("chunks", [None, {"object": 3, "epoch": 4}, {"object": (1, 2, 5), "epoch": (7, 3)}])
def test_datasets_in_memory_and_of_dask(chunks):
    given = survey() if chunks is None else survey().drop_vars("note").chunk(chunks)
    if chunks is not None:
        # Of dask, units and type must both be given, or none of them.
        assert isinstance(given.flux.data, dask.array.Array)
    check(zarrange.rechunk(given, {"object": 2, "epoch": -1}, "100MB", "target.zarr"), given)


def test_an_index_that_is_not_made_is_read_as_it_is_stored():
    survey().to_zarr("source.zarr")
    opened = xr.open_zarr("source.zarr", create_default_indexes=False)
    check(
        zarrange.rechunk(opened, {"object": 2}, "100MB", "target.zarr"),
        xr.open_zarr("source.zarr"),
        computed=set(),
    )


def example(shape=(100, 50)):
    """What rechunker's own tests take."""
    x, y = shape
    a = numbered(shape)
    a[-1] = np.nan
    attrs = {"a1": 1, "a2": [1, 2, 3], "a3": "x"}
    return xr.Dataset(
        {"a": (("x", "y"), a, attrs), "b": ("x", np.ones(x)), "c": ("y", np.ones(y))},
        coords={"cx": ("x", np.ones(x)), "cy": ("y", np.ones(y))},
        attrs=attrs,
    )


PACKED = {
    "a": {
        "compressor": numcodecs.Blosc(cname="zstd"),
        "dtype": "int32",
        "scale_factor": 0.1,
        "_FillValue": -9999,
    }
}


@pytest.mark.parametrize("executor", ["threads", "python"])
@pytest.mark.parametrize(
    "target_chunks", [{"a": (20, 10), "b": (20,)}, {"a": {"x": 20, "y": 10}, "b": {"x": 20}}]
)
def test_rechunkers_datasets(target_store, target_chunks, executor):
    given = example().chunk({"x": 10, "y": 50})
    given["a"].encoding["chunks"] = (10, 50)
    rechunked = zarrange.rechunk(
        given, target_chunks, "10MB", target_store, target_options=PACKED, executor=executor
    )
    assert isinstance(rechunked, zarrange.Rechunked)
    result = rechunked.execute()
    store, group = rechunked._target.store, rechunked._target.path or None
    raw = xr.open_zarr(store, group=group, decode_cf=False)
    assert raw.a.dtype == "int32"
    assert (raw.a[-1] == -9999).all()
    assert raw.a.encoding["compressors"][0].to_dict()["name"] == "blosc"
    for dataset in (result, xr.open_zarr(store, group=group)):
        assert dataset.a.data.chunksize == (20, 10)
        assert dataset.b.data.chunksize == (20,)
        assert dataset.c.data.chunksize == (50,)
        xr.testing.assert_equal(given.compute(), dataset.compute())
        assert given.attrs == dataset.attrs


@pytest.mark.parametrize("source_chunks", [(10, 50), (100, 5)])
@pytest.mark.parametrize(
    ("target_chunks", "y"), [({"x": 20}, None), ({"x": 20, "y": 100_000}, 50), ({"x": 20, "y": -1}, 50)]
)
def test_rechunkers_datasets_by_dimension(source_chunks, target_chunks, y):
    given = example().chunk(dict(zip("xy", source_chunks, strict=True)))
    result = zarrange.rechunk(given, target_chunks, "10MB", "target.zarr", target_options=PACKED).execute()
    y = y or source_chunks[1]
    assert result.a.data.chunksize == (20, y)
    assert result.b.data.chunksize == (20,)
    assert result.c.data.chunksize == (y,)
    # They are read when a dataset is opened: in many chunks that would take as many requests.
    assert result.cx.data.chunksize == (source_chunks[0],)
    xr.testing.assert_equal(given.compute(), result.compute())
    assert given.attrs == result.attrs


def test_chunks_by_dimension_and_by_variable():
    given = survey(4)
    chunks = {"object": 5, "epoch": -1, "ra": (4,), "count": {"epoch": 3}, "flag": None}
    result = zarrange.rechunk(given, chunks, "10MB", "target.zarr").execute()
    expected = {
        "flux": (5, 10),
        "packed": (5, 10),
        "count": (32, 3),
        "flag": (32,),
        "ra": (4,),
        "object": (32,),
    }
    assert {name: result[name].encoding["chunks"] for name in expected} == expected
    xr.testing.assert_identical(result.compute(), given)


def test_shards_codecs_and_encodings():
    given = survey(4)
    options = {
        "flux": {"shards": (16, 10), "compressors": zarr.codecs.ZstdCodec(level=7)},
        "count": {"dtype": "i2", "_FillValue": -1},
        "time": {"units": "hours since 2026-01-01", "dtype": "f8", "calendar": "standard"},
    }
    result = zarrange.rechunk(given, {"object": 4}, "10MB", "target.zarr", target_options=options).execute()
    flux = zarr.open("target.zarr")["flux"]
    assert (flux.shards, flux.chunks) == ((16, 10), (4, 10))
    assert flux.compressors == (zarr.codecs.ZstdCodec(level=7),)
    assert zarr.open("target.zarr")["count"].dtype == "i2"
    assert result.time.encoding["units"] == "hours since 2026-01-01"
    xr.testing.assert_equal(result.compute(), given)


def test_codecs_of_a_stored_array_are_kept_and_those_of_an_encoding_taken():
    blosc = zarr.codecs.BloscCodec(cname="lz4")
    survey().to_zarr("source.zarr", encoding={"flux": {"compressors": blosc}})
    opened = xr.open_zarr("source.zarr")
    opened["count"].encoding["compressors"] = (zarr.codecs.GzipCodec(level=3),)
    changed = opened.assign(packed=(opened.packed + 1))
    changed["packed"].encoding["compressors"] = (blosc,)
    rechunked = zarrange.rechunk(changed, {"object": 2}, "10MB", "target.zarr")
    assert set(rechunked._source.computed) == {"packed", "object"}
    rechunked.execute()
    target = zarr.open("target.zarr")
    assert [target[name].compressors[0].to_dict()["name"] for name in ("flux", "count", "packed")] == [
        "blosc",
        "gzip",
        "blosc",
    ]


def test_codecs_of_zarr_2_become_those_of_zarr_3():
    codec = numcodecs.Blosc(cname="lz4", clevel=3)
    encoding = {"flux": {"compressors": [codec]}, "packed": {"compressors": [codec]}}
    survey().to_zarr("source.zarr", zarr_format=2, encoding=encoding)
    opened = xr.open_zarr("source.zarr")
    changed = opened.assign(packed=(opened.packed + 1), note=opened.note.str.upper())
    for name in ("packed", "note"):
        changed[name].encoding = opened[name].encoding
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = zarrange.rechunk(changed, {"object": 2}, "10MB", "target.zarr").execute()
    target = zarr.open("target.zarr")
    codec = target["packed"].compressors[0].to_dict()
    assert (codec["name"], codec["configuration"]["cname"]) == ("blosc", "lz4")
    xr.testing.assert_identical(result.compute(), changed.compute())


def tree():
    root = survey().drop_vars(["note", "name"])
    inner = xr.Dataset({"raw": (("object", "epoch"), numbered((8, 10)))}, attrs={"what": "inner"})
    return xr.DataTree.from_dict(
        {"/": root, "/calibration": inner, "/calibration/empty": xr.Dataset(attrs={"a": 1})}
    )


@pytest.mark.parametrize("stored", [False, True])
def test_trees(stored):
    given = tree()
    if stored:
        given.to_zarr("source.zarr", zarr_format=3)
        given = xr.open_datatree("source.zarr", engine="zarr", chunks={})
    chunks = {"object": 2, "calibration/raw": (4, 5)}
    rechunked = zarrange.rechunk(given, chunks, "10MB", "target.zarr", verify="full")
    assert ("calibration/raw" in rechunked._source.computed) != stored
    result = rechunked.execute()
    xr.testing.assert_identical(result.compute(), given.compute())
    assert result["calibration/raw"].encoding["chunks"] == (4, 5)
    assert result["flux"].encoding["chunks"] == (2, 10)
    part = zarrange.rechunk(given["calibration"], {"epoch": 1}, "10MB", "part.zarr").execute()
    assert part["raw"].encoding["chunks"] == (8, 1)


@pytest.mark.parametrize("chunks", [(2, 10), {"object": 2}, {"object": 2, "epoch": -1}])
def test_one_array(chunks):
    given = survey().flux
    result = zarrange.rechunk(given, chunks, "10MB", "target.zarr", target_options={"dtype": "f8"}).execute()
    assert isinstance(result, xr.DataArray)
    assert result.data.chunksize == (2, 10)
    assert zarr.open("target.zarr")["flux"].dtype == "f8"
    xr.testing.assert_equal(result.compute(), given)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (survey().flux.rename(None), "values"),
        (survey().flux.variable, "values"),
        (survey().ra, "ra"),
        (survey().object, "object"),
        (survey().alone, "alone"),
    ],
)
def test_arrays_of_all_kinds(given, name):
    result = zarrange.rechunk(given, None, "10MB", "target.zarr").execute()
    assert result.name == name
    np.testing.assert_array_equal(result.values, given.values)
    assert result.attrs == given.attrs


def test_the_accessor():
    given = survey()
    plan = given.zarrange.plan({"object": 2}, "10MB", "planned.zarr")
    assert plan.plan["target_chunks"] > 8
    with pytest.raises(FileNotFoundError):
        zarr.open("planned.zarr", mode="r")
    result = given.zarrange.rechunk({"object": 2}, "10MB", "target.zarr", verify="full")
    xr.testing.assert_identical(result.compute(), given)
    assert given.flux.zarrange.rechunk((4, 5), None, {}).data.chunksize == (4, 5)
    assert tree().zarrange.rechunk({"object": 2}, None, {})["flux"].encoding["chunks"] == (2, 10)
    with pytest.raises(ValueError, match="target_store says where"):
        given.zarrange.plan({"object": 2})


def test_a_repr_tells_what_is_computed():
    survey().to_zarr("source.zarr")
    opened = xr.open_zarr("source.zarr")
    rechunked = zarrange.rechunk(opened.assign(flux=opened.flux * 2), {"object": 2}, "10MB", "target.zarr")
    assert "* Computed    : flux, object" in repr(rechunked).replace("object, flux", "flux, object")
    assert "xarray.Dataset" in repr(rechunked)
    assert "Computed" in rechunked._repr_html_()


def test_a_plan_goes_to_another_process():
    survey().to_zarr("source.zarr")
    opened = xr.open_zarr("source.zarr")
    rechunked = zarrange.rechunk(opened.assign(flux=opened.flux * 2), {"object": 2}, "10MB", "target.zarr")
    again = pickle.loads(pickle.dumps(rechunked))  # noqa: S301, it is ours
    assert set(again._source.computed) == {"flux", "object"}
    xr.testing.assert_identical(again.execute().compute(), opened.assign(flux=opened.flux * 2).compute())


def test_a_plan_of_one_array_goes_to_another_process():
    plan = survey().flux.zarrange.plan((2, 10), "10MB", "target.zarr", target_options={"dtype": "f8"})
    result = pickle.loads(pickle.dumps(plan)).execute()  # noqa: S301, it is ours
    assert (result.data.chunksize, result.dtype) == ((2, 10), "f8")


def test_times_that_are_stored_as_such_are_encoded():
    times = np.arange(6).astype("M8[s]").astype("M8[ns]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.create_group("source.zarr")
        group.create_array("t", data=times, chunks=(2,), dimension_names=["x"])
        opened = xr.open_zarr("source.zarr", consolidated=False)
        rechunked = zarrange.rechunk(opened, {"x": 3}, "10MB", "target.zarr")
    assert rechunked._source.computed == ("t",)
    np.testing.assert_array_equal(rechunked.execute().t.values, times)


def test_overwrite():
    given = survey()
    zarrange.rechunk(given, {"object": 2}, "10MB", "target.zarr").execute()
    with pytest.raises(FileExistsError, match="exists"):
        zarrange.rechunk(given, {"object": 4}, "10MB", "target.zarr")
    all_of_it = {name: {"overwrite": True} for name in given.variables}
    for options in ({"overwrite": True}, {"target_options": all_of_it}):
        result = zarrange.rechunk(given, {"object": 4}, "10MB", "target.zarr", **options).execute()
        assert result.flux.encoding["chunks"] == (4, 10)


def test_a_source_is_not_overwritten():
    survey().to_zarr("outer/source.zarr")
    opened = xr.open_zarr("outer/source.zarr")
    for target in ("outer/source.zarr", "outer", "outer/source.zarr/new"):
        with pytest.raises(ValueError, match="overlaps.*source.zarr"):
            zarrange.rechunk(opened, {"object": 2}, "10MB", target, overwrite=True)


WRONG = {
    "no chunks": (lambda: (survey(), None), ValueError, "``target-chunks`` as a dict"),
    "a tuple": (lambda: (survey(), (10, 10)), ValueError, "``target-chunks`` as a dict"),
    "no such dimension": (lambda: (survey(), {"q": 20}), KeyError, "names 'q'.*neither a dimension"),
    "a dimension without a length": (lambda: (survey(), {"epoch": (5,)}), KeyError, "'epoch'.*with a length"),
    "no length": (lambda: (survey(), {"object": 0}), ValueError, "0 is neither"),
    "other dimensions": (lambda: (survey(), {"flux": {"band": 1}}), KeyError, "no dimension 'band'"),
    "a length more": (lambda: (survey(), {"flux": (1, 1, 1)}), ValueError, "must have length 2"),
    "a name that is no text": (lambda: (xr.Dataset({1: ("x", [1])}), {}), ValueError, "1 in.*no name"),
    "a name with a slash": (lambda: (xr.Dataset({"a/b": ("x", [1])}), {}), ValueError, "'a/b' in.*no name"),
    "objects": (
        lambda: (xr.Dataset({"a": ("x", np.array([{}, []], object))}), {}),
        (ValueError, TypeError),
        "",
    ),
    "levels": (
        lambda: (xr.Dataset({"a": ("x", [1, 2])}, {"x": pd.MultiIndex.from_tuples([(1, 2), (1, 3)])}), {}),
        ValueError,
        "'x' has an index of several levels: reset_index",
    ),
    "categories": (
        lambda: (xr.Dataset({"a": ("x", pd.Categorical(["a", "b"]))}), {}),
        ValueError,
        "'a' has elements of type category.*astype",
    ),
    "units twice": (
        lambda: (survey().assign_coords(time=survey().time.assign_attrs(units="days")), {}),
        ValueError,
        "units",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be(wrong):
    make, error, text = WRONG[wrong]
    given, chunks = make()
    with pytest.raises(error, match=text):
        zarrange.rechunk(given, chunks, "10MB", "target.zarr")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"flux": {"chunks": 10}}, "Chunks must be provided in 'target_chunks' rather than options"),
        ({"flux": {"unknown": True}}, "Zarr options must not include unknown"),
        ({"q": {"dtype": "i4"}}, "'q', which is no"),
        ({"q": {"compressor": None}}, "'q', which is no"),
    ],
)
def test_options_that_cannot_be(options, text):
    with pytest.raises(ValueError, match=text):
        zarrange.rechunk(survey(), {}, "10MB", "target.zarr", target_options=options)
