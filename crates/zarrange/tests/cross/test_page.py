"""docs/formats.md says what the command does."""

from pathlib import Path

import page
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


@pytest.fixture
def committed(binary, monkeypatch) -> tuple[str, str]:
    monkeypatch.setenv("ZARRANGE", binary)
    return page.halves((Path(__file__).parents[4] / "docs/formats.md").read_text())


def test_the_page_of_formats_is_up_to_date(committed):
    assert committed[0] == page.of_all_others(), "made by tests/cross/page.py"


def test_what_it_says_of_the_newest_zarr_is_up_to_date(committed, newest_zarr):
    assert committed[1] == page.of_the_newest(newest_zarr), "made by tests/cross/page.py"
