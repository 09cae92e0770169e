"""``python -m zarrange``: the command."""

from zarrange._command import main

if __name__ == "__main__":
    main()
