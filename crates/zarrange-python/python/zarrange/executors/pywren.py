"""The executor of Lithops by the name that it has in rechunker."""

from __future__ import annotations

from zarrange.executors.lithops import LithopsExecutor

__all__ = ["PywrenExecutor"]


class PywrenExecutor(LithopsExecutor):
    """The same as `zarrange.executors.lithops.LithopsExecutor`."""
