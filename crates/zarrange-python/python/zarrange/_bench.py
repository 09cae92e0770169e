"""The command ``zarrange-bench`` of the package: the same program as without Python."""

import sys

from zarrange import _command, _native


def lines() -> tuple[list[str], list[str]]:
    """What starts ``zarrange-bench`` and ``zarrange`` again, for they measure in processes of their own."""
    return [sys.executable, "-m", "zarrange._bench"], [sys.executable, "-m", "zarrange"]


def main() -> None:
    """Runs the command with the arguments of this process, and ends it."""
    _command.leave_signals()
    failed = _native.bench(["zarrange-bench", *sys.argv[1:]], lines())
    sys.exit(None if failed is None else f"Error: {failed}")


if __name__ == "__main__":
    main()
