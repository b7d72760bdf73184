"""What a module refuses to do, in the words that its console prints."""

from __future__ import annotations


class Refused(Exception):
    """The hardware does not do this; the text says why. Nothing has changed."""
