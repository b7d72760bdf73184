"""The journal's codecs: what is written reads back, and any damage is noticed."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import JournalCorrupt, JournalUnwritable
from scheduler.journal import Journal, JournalRecord, create_journal, read_journal
from scheduler.journal.lines import decode, encode, parse
from scheduler.journal.record import from_row, to_row

PAGE_BYTES, LEAF_OF_A_TABLE = 4096, 0x0D
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
    row = to_row(record)
    assert from_row(row) == record
    assert f'"crc":"{row.crc}"' in line.decode()  # one checksum for both forms


@given(payloads, st.data())
def test_any_single_damaged_byte_is_noticed(data, draw):
    content = bytearray(b"".join(map(encode, records(3, data))))
    at = draw.draw(st.integers(0, len(content) - 1))
    content[at] = draw.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    with pytest.raises(JournalCorrupt) as caught:
        parse(bytes(content), WHERE)
    assert "journal.jsonl, record " in str(caught.value)


@given(payloads, st.integers(0))
def test_any_beginning_of_a_journal_is_read_up_to_its_last_whole_line(data, cut):
    lines = [encode(record) for record in records(3, data)]
    content = b"".join(lines)[: cut % (sum(map(len, lines)) + 1)]
    assert parse(content, WHERE) == records(3, data)[: content.count(b"\n")]


@given(st.binary(max_size=300))
def test_bytes_that_nobody_wrote_are_refused_or_a_torn_line(content):
    try:
        found = parse(content, WHERE)
    except JournalCorrupt:
        return
    assert found == []
    assert b"\n" not in content


def test_the_line_is_what_the_documentation_says():
    # Assembled by hand from docs/scheduler.md; the checksum by zlib's crc32 of the line without its crc.
    line = b'{"at":1767225600.25,"crc":"%s","data":{"task":"dark"},"event":"task_note","seq":7,"sim_ns":1200000000}\n'
    record = JournalRecord(7, 1767225600.25, 1_200_000_000, "task_note", {"task": "dark"})
    assert encode(record) == line % b"c50eb439"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("journal")
    create_journal(run_dir)
    with Journal(run_dir, lambda: 1.5) as journal:
        for number in range(60):
            journal.append("task_note", {"task": "a", "text": f"note {number}" * 30}, number)
    return run_dir


class TestFile:
    """Of SQLite; it has tens of kilobytes on several pages."""

    # A digit of a note, a length, a pointer, a page's count of rows, the header, the schema: wherever it is.
    @given(st.data())
    def test_a_damaged_byte_is_noticed_or_tells_the_same(self, written, draw):
        content = bytearray((written / "journal.sqlite").read_bytes())
        assert len(content) > 5 * PAGE_BYTES
        at = draw.draw(st.integers(0, len(content) - 1) | st.integers(0, 10_000))
        content[at] ^= draw.draw(st.integers(1, 255))
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "journal.sqlite").write_bytes(content)
            try:
                found = read_journal(Path(folder))
            except JournalCorrupt:
                return
        assert found == read_journal(written), f"byte {at}"

    def test_a_page_that_tells_of_one_record_less_is_noticed(self, written):
        """Which no checksum of a record can."""
        whole = (written / "journal.sqlite").read_bytes()
        leaves = [at for at in range(PAGE_BYTES, len(whole), PAGE_BYTES) if whole[at] == LEAF_OF_A_TABLE]
        assert len(leaves) > 3
        for at in leaves:
            content = bytearray(whole)
            content[at + 4] -= 1  # the number of its cells
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "journal.sqlite").write_bytes(content)
                with pytest.raises(JournalCorrupt):
                    read_journal(Path(folder))

    @given(st.data())
    def test_a_file_that_was_cut_is_noticed(self, written, draw):
        content = (written / "journal.sqlite").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.sqlite"
            path.write_bytes(content[: draw.draw(st.integers(0, len(content) - 1))])
            with pytest.raises(JournalCorrupt):
                read_journal(Path(folder))
            with pytest.raises((JournalCorrupt, JournalUnwritable)):
                Journal(Path(folder))
