"""Whatever an instrument sends: arrays of the right shape, or one of the station's own sentences."""

from __future__ import annotations

import contextlib
import socket
import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fat.degg.station import AnswerMalformed, Module, StationError
from fat.degg.station.rapcal import read_packet
from fat.degg.station.records import STAMP_BYTES, read_stamps, read_waveforms, record_bytes
from fat.degg.station.thermometer import readings

SAMPLES = 16
SIZE = record_bytes(SAMPLES)
COUNT = (SIZE // 2 - 2).to_bytes(4, "little")


@given(st.lists(st.binary(min_size=SIZE - 8, max_size=SIZE - 8), max_size=6), st.binary(max_size=2 * SIZE))
def test_waveforms_of_any_bytes(bodies: list[bytes], rest: bytes) -> None:
    block = b"".join(
        COUNT + bytes([channel & 1, 0x82]) + b"\x10\x00" + body for channel, body in enumerate(bodies)
    )
    whole = read_waveforms(block, SAMPLES)
    assert sum(len(found) for found in whole.values()) == len(bodies)
    for found in whole.values():
        assert found.samples.shape == (len(found), SAMPLES)
        assert found.samples.max() < 1 << 14
        assert (found.ticks >= 0).all()
        assert (found.ticks < 1 << 50).all()
    with contextlib.suppress(AnswerMalformed):
        read_waveforms(block + rest, SAMPLES)
        read_waveforms(rest, SAMPLES)


@given(st.binary(max_size=20 * STAMP_BYTES))
def test_charge_stamps_of_any_bytes(block: bytes) -> None:
    with contextlib.suppress(AnswerMalformed):
        for found in read_stamps(block).values():
            assert found.ticks.shape == found.charge.shape
            assert found.charge.dtype == np.float32


@given(st.binary(max_size=600), st.binary(min_size=280, max_size=280))
def test_packets_and_words_of_any_bytes(words: bytes, packet: bytes) -> None:
    assert set(readings(words)) <= {1, 2, 3, 4}
    for data in (words, packet):
        with contextlib.suppress(AnswerMalformed):
            read_packet(data)


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=4))
def test_a_console_of_any_bytes(answers: list[bytes]) -> None:
    """It begins well and then says anything; at each question the client has an answer or a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_babble, args=(server, answers))
        thread.start()
        with Module(5000, f"tcp://127.0.0.1:{server.getsockname()[1]}") as module:
            for question in (module.flash_files, module.fpga_version, module.slow_adc_all, module.icm_id):
                with contextlib.suppress(StationError):
                    question()
        server.shutdown(socket.SHUT_RDWR)  # wakes who waits for a client
        thread.join()


def _babble(server: socket.socket, answers: list[bytes]) -> None:
    """Each connection: the prompt for two lines of the beginning, then echo, something, prompt; then it hangs up."""
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                for answer in (b"", b"", *answers):
                    line = client.recv(1000)
                    client.sendall(line + answer + b"\r\n> ")
