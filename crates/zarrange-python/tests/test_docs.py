"""The code of each page on the package is one program that runs."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["python.md", "python-lightcurves.md"])
def test_the_page_runs(page, capsys):
    text = (DOCS / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})  # noqa: S102, it is ours
    printed = capsys.readouterr().out
    for expected in re.findall(r"print\(.*\)  # (.*)$", "\n".join(blocks), flags=re.MULTILINE):
        assert expected in printed
