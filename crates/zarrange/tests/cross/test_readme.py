"""The commands of README.md, top to bottom in one empty folder, as somebody runs them who has installed the command."""

import os
import re
import subprocess
from pathlib import Path

README = Path(__file__).parents[4] / "README.md"
# Blocks that cannot run in an empty folder, by their text.
ELSEWHERE = {
    "cargo install --locked --path crates/zarrange": "builds what is tested here",
    "pip install ./crates/zarrange-python": "is tested by scripts/python-wheel, in an environment of its own",
    "scripts/test": "is what runs this test",
}
LANGUAGES = {"sh", "python", "rust", "text"}


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of each block of code."""
    return re.findall(r"^```(\S*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_readme(binary, tmp_path):
    found = blocks(README.read_text())
    assert {language for language, _ in found} <= LANGUAGES, "a block of commands is one of sh"
    commands = [text.strip() for language, text in found if language == "sh"]
    assert set(ELSEWHERE) <= set(commands), "what is no block any more need not be listed"
    here, links = tmp_path / "here", tmp_path / "bin"
    here.mkdir()
    links.mkdir()
    bench = Path(binary).with_name("zarrange-bench")
    for program in [Path(binary), bench]:
        if program.exists():
            (links / program.name).symlink_to(program)
    env = {**os.environ, "PATH": f"{links}:{os.environ['PATH']}"}
    ran = 0
    for text in commands:
        if text in ELSEWHERE:
            continue
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=here,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        ran += 1
    assert ran >= 2
