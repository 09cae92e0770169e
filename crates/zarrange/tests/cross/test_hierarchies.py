"""A share of the random hierarchies; `hierarchies.py` says how to go through all 500."""

from collections import Counter

import pytest
from hierarchies import KINDS, check, kind_of, write_both

pytestmark = [
    pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

SEEDS = range(120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, old_python):
    folder = tmp_path_factory.mktemp("hierarchies")
    write_both(folder, SEEDS.start, SEEDS.stop)
    return folder


@pytest.mark.parametrize("seed", SEEDS)
def test_hierarchy(run, tmp_path, folder, seed):
    def zarrange(*args):
        return run(*args, check=False)

    found = list(check(zarrange, seed, folder / f"{seed}.zarr", tmp_path / "dst.zarr"))
    assert not found, "\n".join(found)


def test_every_kind_is_drawn_in_both_versions():
    drawn = Counter((kind_of(seed), seed % 2) for seed in SEEDS)
    assert drawn.keys() == {(kind, odd) for kind in KINDS for odd in [0, 1]} and min(drawn.values()) > 5
