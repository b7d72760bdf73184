"""Recorded streams: what is replayed is what was recorded; damage is named and costs nothing that came before."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.xtdf.stream import record, replay
from sim.xtdf.stream_file import MAGIC, Datagram, StreamDamaged, StreamWriter, read_stream

DATAGRAMS = st.lists(
    st.builds(Datagram, st.integers(0, 2**63), st.integers(0, 15), st.binary(max_size=300)), max_size=20
)
LAZY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(path: Path, datagrams: list[Datagram]) -> Path:
    writer = StreamWriter(path)
    for datagram in datagrams:
        writer.write(datagram)
    writer.close()
    return path


@given(DATAGRAMS)
@LAZY
def test_reading_gives_what_was_written(tmp_path: Path, datagrams: list[Datagram]) -> None:
    assert list(read_stream(written(tmp_path / "s", datagrams))) == datagrams


@given(DATAGRAMS, st.data())
@LAZY
def test_a_cut_or_changed_file_gives_what_is_good_and_says_so(
    tmp_path: Path, datagrams: list[Datagram], data: st.DataObject
) -> None:
    path = written(tmp_path / "s", datagrams)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.booleans())
    spoiled = whole[:at] if cut or at == len(whole) else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    path.write_bytes(spoiled)
    stream, got = read_stream(path), []
    with contextlib.suppress(StreamDamaged, StopIteration):
        while True:
            got.append(next(stream))
    assert got == datagrams[: len(got)]
    if cut and at < len(whole):
        assert len(got) < len(datagrams) or not datagrams


def test_golden_bytes_from_the_documented_layout(tmp_path: Path) -> None:
    """Assembled by hand: magic, CRC-32 of the rest of the record, 5 ns, receiver 1, 2 bytes `hi`."""
    path = written(tmp_path / "s", [Datagram(5, 1, b"hi")])
    record_bytes = bytes.fromhex("050000000000000001000200") + b"hi"
    import zlib

    assert path.read_bytes() == MAGIC + zlib.crc32(record_bytes).to_bytes(4, "little") + record_bytes


def test_what_is_replayed_arrives_as_it_was_recorded(tmp_path: Path) -> None:
    stop, ready = threading.Event(), threading.Event()
    addresses: list[str] = []
    path = tmp_path / "run.strm"

    def bound(names: list[str]) -> None:
        addresses.extend(names)
        ready.set()

    counted: list[int] = []
    recording = threading.Thread(
        target=lambda: counted.append(record(["udp://127.0.0.1:0"] * 2, path, stop, bound))
    )
    recording.start()
    assert ready.wait(60)
    sent = [(k % 2, bytes([k]) * (k * 37 % 8192 + 1)) for k in range(40)]
    source = written(tmp_path / "made", [Datagram(0, to, payload) for to, payload in sent])
    assert replay(source, addresses, None) == 40
    wait_until_read(addresses)
    stop.set()
    recording.join(10)
    again = list(read_stream(path))
    for receiver in (0, 1):
        assert [d.payload for d in again if d.receiver == receiver] == [p for to, p in sent if to == receiver]
    assert counted == [40]


def wait_until_read(addresses: list[str]) -> None:
    """Until the kernel holds nothing for these receivers."""
    from sim.xtdf.receiver_queue import ReceiverQueue

    pause = threading.Event()
    for address in addresses:
        queue = ReceiverQueue("127.0.0.1", int(address.rsplit(":", 1)[1]))
        for _ in range(500):
            if not (queue._memory() or (0, 0))[0]:
                break
            pause.wait(0.01)
        queue.close()


def test_a_stream_for_more_receivers_than_given_is_refused(tmp_path: Path) -> None:
    from sim.errors import SimError

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        path = written(tmp_path / "s", [Datagram(0, 3, b"x")])
        with pytest.raises(SimError, match="has a receiver 3, but 1 addresses"):
            replay(path, [f"udp://127.0.0.1:{receiver.getsockname()[1]}"], None)
