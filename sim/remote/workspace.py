"""A Slack workspace as a value store: channels, messages, files. No sockets."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

MAX_FILE_BYTES: Final = 32 << 20
MAX_FILES: Final = 200


@dataclass(slots=True)
class Message:
    """One message of a channel."""

    channel: str
    text: str
    ts: str
    """Slack's identifier: seconds with six digits after the point, unique in the workspace."""
    at_ns: int
    """Simulated time of the post."""
    thread_ts: str | None = None
    files: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `GET /messages`."""
        return {
            "channel": self.channel,
            "text": self.text,
            "ts": self.ts,
            "at_ns": self.at_ns,
            "thread_ts": self.thread_ts,
            "files": list(self.files),
        }


@dataclass(slots=True)
class StoredFile:
    """An upload: announced, then filled, then completed into a channel."""

    id: str
    name: str
    length: int
    content: bytes = b""
    title: str = ""


@dataclass(slots=True)
class Workspace:
    """Everything that was posted, bounded."""

    keep_messages: int
    messages: deque[Message] = field(default_factory=deque)
    files: dict[str, StoredFile] = field(default_factory=dict)
    _posted: int = 0

    def post(self, channel: str, text: str, *, unix_ns: int, at_ns: int, **options: Any) -> Message:
        """Add a message; the oldest is forgotten when there are too many."""
        self._posted += 1
        ts = f"{unix_ns // 1_000_000_000}.{self._posted % 1_000_000:06d}"
        message = Message(channel, text, ts, at_ns, options.get("thread_ts"), tuple(options.get("files", ())))
        self.messages.append(message)
        while len(self.messages) > self.keep_messages:
            self.messages.popleft()
        return message

    def find(self, channel: str, ts: str) -> Message | None:
        """The message that `chat.update` means."""
        return next((m for m in self.messages if m.ts == ts and m.channel == channel), None)

    def announce(self, name: str, length: int) -> StoredFile | None:
        """Reserve an upload; None when it is too large."""
        if not 0 <= length <= MAX_FILE_BYTES:
            return None
        file = StoredFile(f"F{len(self.files) + 1:08d}", name[:200], length)
        self.files[file.id] = file
        while len(self.files) > MAX_FILES:
            del self.files[next(iter(self.files))]
        return file
