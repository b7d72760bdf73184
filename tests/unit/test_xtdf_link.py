"""The link over real sockets."""

import socket
import threading
from collections.abc import Iterator

import pytest

from sim.xtdf.link import AddressUnusable, UdpLink, parse_address
from sim.xtdf.receiver_queue import PLENTY, ReceiverQueue


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        yield receiver


def test_parts_arrive_as_one_datagram(receiver: socket.socket) -> None:
    link = UdpLink(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
    assert link.send([(memoryview(b"payload"), b"trailer!")]) == 0
    assert receiver.recv(100) == b"payloadtrailer!"
    link.close()
    link.close()


def test_the_room_of_a_receiver_is_seen(receiver: socket.socket) -> None:
    port = receiver.getsockname()[1]
    queue, link = ReceiverQueue("127.0.0.1", port), UdpLink(f"udp://127.0.0.1:{port}")
    empty = queue.room(0.5)
    assert empty == receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    link.send([(b"x" * 8000,)])
    assert queue.room(0.5) <= empty - 8000
    receiver.recv(9000)
    assert queue.room(0.5) == empty
    queue.close()
    queue.close()
    link.close()


def test_where_the_kernel_tells_no_memory_its_table_is_read(
    receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReceiverQueue, "_memory", lambda _: None)
    port = receiver.getsockname()[1]
    queue, link = ReceiverQueue("127.0.0.1", port), UdpLink(f"udp://127.0.0.1:{port}")
    empty = queue.room(0.5)
    link.send([(b"x" * 8000,)])
    assert queue.room(0.5) <= empty - 8000
    queue.close()
    link.close()


def test_a_receiver_elsewhere_has_room() -> None:
    queue = ReceiverQueue("192.0.2.1", 4321)
    assert queue.room(0.5) == PLENTY
    queue.close()


def test_a_group_of_full_datagrams_arrives_as_they_were(receiver: socket.socket) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    link = UdpLink(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
    sent = [(bytes([k]) * 8184, k.to_bytes(8, "little")) for k in range(16)] + [(b"short", b"trailer!")]
    assert link.send(sent) == 0
    assert [receiver.recv(9000) for _ in sent] == [a + b for a, b in sent]
    assert (link.datagrams_sent, link.bytes_sent) == (17, 16 * 8192 + 13)
    link.close()


def test_a_path_that_cannot_cut_gets_single_datagrams(
    receiver: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = UdpLink(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
    real, refused = link._socket.sendmsg, []

    class Narrow:
        """A socket whose path has no segmentation offload."""

        def sendmsg(self, parts: list[bytes]) -> int:
            if sum(map(len, parts)) > 8192:
                refused.append(len(parts))
                raise OSError(90, "Message too long")
            return real(parts)

        def close(self) -> None:
            pass

    inner = link._socket
    monkeypatch.setattr(link, "_socket", Narrow())
    sent = [(bytes([k]) * 8184, k.to_bytes(8, "little")) for k in range(9)]
    assert link.send(sent) == 0
    assert [receiver.recv(9000) for _ in sent] == [a + b for a, b in sent]
    assert len(refused) == 1
    inner.close()
    link.close()


def test_a_slow_receiver_with_a_small_buffer_loses_nothing(receiver: socket.socket) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 212_992)
    link = UdpLink(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
    count, got = 400, []

    def receive() -> None:
        while len(got) < count:
            got.append(receiver.recv(9000)[:2])
            sum(range(3000))  # a receiver that does more than receive

    thread = threading.Thread(target=receive)
    thread.start()
    link.send((number.to_bytes(2, "big"), b"x" * 8190) for number in range(count))
    thread.join(30)
    link.close()
    assert got == [number.to_bytes(2, "big") for number in range(count)]


def test_a_receiver_that_never_reads_is_not_waited_for_long(receiver: socket.socket) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 19)
    link = UdpLink(f"udp://127.0.0.1:{receiver.getsockname()[1]}")
    # 200 bursts that each waited would take 20 s.
    done = threading.Event()
    thread = threading.Thread(target=lambda: (link.send([(b"x" * 8192,)] * 2400), done.set()))
    thread.start()
    assert done.wait(60)
    thread.join()
    link.close()


def test_nobody_there_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    link = UdpLink(f"udp://127.0.0.1:{port}")
    assert link.send([(b"x",)] * 10) >= 1
    link.close()


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:5", "tcp://127.0.0.1:5", "udp://127.0.0.1", "udp://:5", "udp://h:99999", "udp://[:1"],
)
def test_addresses_that_cannot_be_are_refused(address: str) -> None:
    with pytest.raises(AddressUnusable, match="must look like udp://"):
        parse_address(address)
