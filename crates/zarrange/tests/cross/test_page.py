"""docs/formats.md says what the command does."""

from pathlib import Path

import page


def test_the_page_of_formats_is_up_to_date(binary, monkeypatch):
    monkeypatch.setenv("ZARRANGE", binary)
    committed = Path(__file__).parents[4] / "docs/formats.md"
    assert committed.read_text() == page.page(), "made by tests/cross/page.py"
