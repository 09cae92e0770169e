"""The command ``zarrange`` of the package: the same program as without Python."""

import signal
import sys

from zarrange import _native


def main() -> None:
    """Runs the command with the arguments of this process, and ends it."""
    leave_signals()
    sys.exit(_native.command(["zarrange", *sys.argv[1:]]))


def leave_signals() -> None:
    """Leaves Ctrl-C to the command, which tidies up by itself. Where it is ignored (nohup), it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
