"""The command line `stellwerk`."""

from __future__ import annotations

from fat.cli.root import main

__all__ = ["main"]
