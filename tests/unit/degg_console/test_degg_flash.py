"""The FPGA and its images in flash over a console."""

from __future__ import annotations

from typing import Any

import pytest

from sim.kernel import SimTime

PROMPT = b"\r\n> "


def test_flash_listing_has_the_newest_image_last(bench: Any) -> None:
    # as the public client reads it: names of columns, a rule, rows with as many words as there are columns
    header, rule, *rows = bench.ask("flashLS").splitlines()
    assert header.split() == ["Name", "Size", "Offset"]
    assert set(rule) == {"-"}
    files = [dict(zip(header.split(), row.split(), strict=True)) for row in rows]
    assert files[-1]["Name"] == "degg_fw_v0x110.rbf"
    assert all(int(file["Size"]) > 0 for file in files)


NEEDS_FPGA = [
    "domClock",
    "7 sloAdcReadChannel",
    "0 8050 0 startDEggWfmStream",
    "56 10 15 readDEggChargeBlock",
]


@pytest.mark.parametrize("command", NEEDS_FPGA)
def test_without_fpga_words_fail(bench: Any, command: str) -> None:
    bench.faults.switch_on("unconfigured_fpga")
    assert bench.ask("fpgaVersion .s drop") == "<1> 65535 "
    assert bench.ask(command) == f"{command.split()[-1]}: FAIL"
    assert bench.ask("sloAdcReadAll") == "sloAdcReadChannel: FAIL"


@pytest.mark.parametrize(("fault", "shown"), [("unconfigured_fpga", 65535), ("wrong_fpga", 268)])
def test_configuring_from_flash_mends_the_fpga(bench: Any, fault: str, shown: int) -> None:
    bench.faults.switch_on(fault)
    assert bench.ask("fpgaVersion .s drop") == f"<1> {shown} "
    assert bench.reflash() == 272
    assert bench.faults.active() == {}


def test_a_fault_that_refuses_configuration(bench: Any) -> None:
    bench.faults.switch_on("refuse_configuration", times=2)
    image = 's" degg_fw_v0x110.rbf" flashConfigureFPGA'
    assert bench.ask(image) == "flashConfigureFPGA: FAIL, configuration failed"
    assert bench.ask("fpgaVersion .s drop") == "<1> 65535 "
    assert bench.reflash() == 272
    bench.faults.switch_on("refuse_configuration")
    assert bench.reflash() == 65535


def test_wrong_files_are_refused_and_leave_the_fpga_alone(bench: Any) -> None:
    assert bench.ask('s" nothing.rbf" flashConfigureFPGA') == "flashConfigureFPGA: FAIL, no file nothing.rbf"
    bench.board.flash.write("notes.txt", b"hello")
    assert bench.ask('s" notes.txt" flashConfigureFPGA').endswith("notes.txt is no FPGA image")
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "
    assert bench.ask('s" degg_fw_v0x10e.rbf" flashConfigureCycloneFPGA') == ""
    assert bench.ask("fpgaVersion .s drop") == "<1> 270 "


def test_flash_is_written_only_with_its_interlock(bench: Any) -> None:
    bench.board.flash.write("notes.txt", b"hello")
    assert bench.ask('s" notes.txt" flashCat') == "hello"
    assert bench.ask('s" notes.txt" flashRemove') == "flashRemove: FAIL, flash interlock not set"
    bench.board.interlocks.mcu_flash = True
    assert bench.ask('s" notes.txt" flashRemove') == ""
    assert bench.ask('s" notes.txt" flashCat') == "flashCat: FAIL, no file notes.txt"


# A transfer by YMODEM as the public client's sender makes it, assembled by hand: the file "v.txt" of 5 bytes.
# The CRCs are those of CRC-16/XMODEM (polynomial 0x1021, start 0), worked out bit by bit in `crc`.
def crc(data: bytes) -> bytes:
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value.to_bytes(2, "big")


def block(start: bytes, number: int, data: bytes) -> bytes:
    data = data.ljust(128 if start == b"\x01" else 1024, b"\0")
    return start + bytes([number, 255 - number]) + data + crc(data)


TRANSFER = [
    (block(b"\x01", 0, b"v.txt\0" + b"5 "), b"\x06C"),
    (block(b"\x02", 1, b"hello"), b"\x06"),
    (b"\x04", b"\x15"),
    (b"\x04", b"\x06C"),
    (block(b"\x01", 0, b""), b"\x06C" + PROMPT),
]


@pytest.mark.parametrize("bytewise", [False, True])
def test_a_file_comes_into_flash_by_ymodem(bench: Any, bytewise: bool) -> None:
    upload = b's" v.txt" ymodemFlashUpload\r\n'
    assert b"ymodemFlashUpload: FAIL, flash interlock not set" in bench.ask_raw(upload)
    bench.board.interlocks.mcu_flash = True
    echo, *invitations = bench.session.receive(upload, SimTime(bench.now))
    assert echo.data == upload
    assert {said.data for said in invitations} == {b"C"}
    assert all(said.by_wall and said.until_input for said in invitations)
    for sent, answer in TRANSFER:
        pieces = [sent[at : at + 1] for at in range(len(sent))] if bytewise else [sent]
        assert b"".join(bench.ask_raw(piece) for piece in pieces) == answer
    assert bench.ask('s" v.txt" flashCat') == "hello"
    assert bench.ask("flashLS").splitlines()[-1].split()[:2] == ["v.txt", "5"]


def test_a_damaged_block_is_asked_for_again_and_a_transfer_can_be_left(bench: Any) -> None:
    bench.board.interlocks.mcu_flash = True
    bench.ask_raw(b's" v.txt" ymodemFlashUpload\r\n')
    first = TRANSFER[0][0]
    damaged = first[:10] + b"\xff" + first[11:]
    assert bench.ask_raw(damaged) == b"\x15"
    assert bench.ask_raw(first) == b"\x06C"
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "  # somebody types instead
    assert bench.ask('s" v.txt" flashCat') == "flashCat: FAIL, no file v.txt"
    bench.ask_raw(b's" v.txt" ymodemFlashUpload\r\n')
    answers = [bench.ask_raw(damaged) for _ in range(10)]
    assert answers[-1] == b"\x18\x18" + PROMPT
    assert bench.ask(".s") == "<0> "


def test_configuring_takes_its_time(bench: Any) -> None:
    said = bench.session.receive(b's" degg_fw_v0x110.rbf" flashConfigureFPGA\r\n', SimTime(0))
    assert [answer.after_s for answer in said] == [0.0, 4.0]
