"""The command ``zarrange`` of the package: the same program as without Python."""

import sys

from zarrange import _native


def main() -> None:
    """Runs the command with the arguments of this process, and ends it."""
    sys.exit(_native.command(["zarrange", *sys.argv[1:]]))
