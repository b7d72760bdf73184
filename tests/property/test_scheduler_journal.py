"""The journal's codec: what is written reads back, and any damage is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import JournalCorrupt
from scheduler.journal import JournalRecord, decode, encode, parse

WHERE = Path("run/journal.jsonl")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(st.text(), json_values, max_size=4)


def records(count: int, data: dict[str, object]) -> list[JournalRecord]:
    return [JournalRecord(seq, 1.5 * seq, seq * 10**9, "task_note", data) for seq in range(1, count + 1)]


@given(st.integers(1), st.floats(0, 4e9), st.integers(0), st.text(), payloads)
def test_a_record_reads_back(seq, at, sim_ns, event, data):
    record = JournalRecord(seq, at, sim_ns, event, data)
    line = encode(record)
    assert decode(line) == record
    assert line.count(b"\n") == 1
    assert line.isascii()


@given(payloads, st.data())
def test_any_single_damaged_byte_is_noticed(data, draw):
    content = bytearray(b"".join(map(encode, records(3, data))))
    at = draw.draw(st.integers(0, len(content) - 1))
    content[at] = draw.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    with pytest.raises(JournalCorrupt) as caught:
        parse(bytes(content), WHERE)
    assert "journal.jsonl, line " in str(caught.value)


@given(payloads, st.integers(0))
def test_any_beginning_of_a_journal_is_read_up_to_its_last_whole_line(data, cut):
    lines = [encode(record) for record in records(3, data)]
    content = b"".join(lines)[: cut % (sum(map(len, lines)) + 1)]
    found, good = parse(content, WHERE)
    assert found == records(3, data)[: content.count(b"\n")]
    assert content[:good] == b"".join(lines[: len(found)])


@given(st.binary(max_size=300))
def test_bytes_that_nobody_wrote_are_refused_or_a_torn_line(content):
    try:
        found, good = parse(content, WHERE)
    except JournalCorrupt:
        return
    assert (found, good) == ([], 0)
    assert b"\n" not in content


def test_the_line_is_what_the_documentation_says():
    # Assembled by hand from docs/scheduler.md; the checksum by zlib's crc32 of the line without its crc.
    line = b'{"at":1767225600.25,"crc":"%s","data":{"task":"dark"},"event":"task_note","seq":7,"sim_ns":1200000000}\n'
    record = JournalRecord(7, 1767225600.25, 1_200_000_000, "task_note", {"task": "dark"})
    assert encode(record) == line % b"c50eb439"
