"""Paths and URLs as users write them."""

from __future__ import annotations

import os


def local(location: str | os.PathLike[str]) -> str | None:
    """The absolute path of a path or a ``file://`` URL, whatever the working directory is later; None for any other URL."""
    text = os.fspath(location)
    if text.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        text = unquote(urlsplit(text).path)
    return None if "://" in text else os.path.abspath(text)
