"""The code of docs/python.md is one program that runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/python.md"


def test_the_page_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    exec(compile("\n".join(blocks), PAGE.name, "exec"), {"__name__": "page"})  # noqa: S102, it is ours
    printed = capsys.readouterr().out
    for expected in re.findall(r"print\(.*\)  # (.*)$", "\n".join(blocks), flags=re.MULTILINE):
        assert expected in printed
