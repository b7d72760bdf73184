"""What the streams ask of the configuration of the stream module."""

from __future__ import annotations

from typing import Protocol


class Settings(Protocol):
    """Keys of the stream module, as they are now. Read from the event loop's thread and from the sender's."""

    @property
    def mode(self) -> str:
        """enabled or disabled."""
        ...

    @property
    def format(self) -> str:
        """legacy or cbor; counts at arm."""
        ...

    @property
    def header_detail(self) -> str:
        """none, basic or all."""
        ...

    @property
    def header_appendix(self) -> object:
        """A JSON value, sent with each start message; empty text for none."""
        ...

    @property
    def image_appendix(self) -> object:
        """A JSON value, sent with each image; empty text for none. Counts at arm."""
        ...
