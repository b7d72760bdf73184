"""A journal as lines of JSON: for programs, and the form in which Stellwerk wrote journals before it had databases.

A line is canonical JSON (sorted keys, no spaces, ASCII) with a CRC-32 of itself without the key `crc`:

    {"at":1767225600.25,"crc":"9a0c31f2","data":{…},"event":"task_started","seq":7,"sim_ns":1200000000}

A last line without its newline was torn by a crash before it was durable; nobody acted on it, so it is left out.
Anything else that does not read back is damage, and an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from scheduler.errors import JournalCorrupt
from scheduler.journal.record import JournalRecord, canonical, checksum

LINES_NAME: Final = "journal.jsonl"
"""In the folders of runs by an older Stellwerk."""


def encode(record: JournalRecord) -> bytes:
    """The record's line, newline included."""
    body = {
        "seq": record.seq,
        "at": record.at,
        "sim_ns": record.sim_ns,
        "event": record.event,
        "data": dict(record.data),
    }
    return (canonical({**body, "crc": checksum(canonical(body))}) + "\n").encode()


def decode(line: bytes) -> JournalRecord:
    """Read one line, newline included. Raises ValueError with a reason if any byte differs from what was written."""
    try:
        body = json.loads(line)
        record = JournalRecord(body["seq"], body["at"], body["sim_ns"], body["event"], body["data"])
        again = encode(record)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("is not a record") from error
    if again != line:  # stricter than the checksum: the same value in another spelling is damage too
        raise ValueError("the checksum does not match")
    return record


def parse(content: bytes, path: Path) -> list[JournalRecord]:
    """Read a whole journal. Raises JournalCorrupt naming *path* and the record."""
    records: list[JournalRecord] = []
    *lines, tail = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        record = _decode_at(line + b"\n", path, number)
        if record.seq != number:
            raise JournalCorrupt(path, f"record {record.seq} stands where {number} belongs", number)
        records.append(record)
    _judge_tail(tail, path, len(lines) + 1)
    return records


def write_lines(records: Iterable[JournalRecord]) -> str:
    """The whole journal as text."""
    return b"".join(map(encode, records)).decode()


def _decode_at(line: bytes, path: Path, number: int) -> JournalRecord:
    try:
        return decode(line)
    except ValueError as error:
        raise JournalCorrupt(path, str(error), number) from error


def _judge_tail(tail: bytes, path: Path, number: int) -> None:
    """A torn line is a beginning of one; a whole record with another byte for its newline is damage."""
    try:
        decode(tail[:-1] + b"\n")
    except ValueError:
        return
    raise JournalCorrupt(path, "another byte stands where the newline belongs", number)
