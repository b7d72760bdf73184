"""Words of the FPGA, of its images in flash, and of the clock that it keeps."""

from __future__ import annotations

from typing import Final

from sim.degg.console.forth import Call, Word
from sim.degg.refusal import Refused

DPRAM_WORDS: Final = 2048
"""The FPGA's memory that may be written and read back: 2 k words."""
MAX_READ_WORDS: Final = 4096


def _configure(call: Call, name: str) -> None:
    call.wait(call.board.configure_fpga(name, call.now))


def _unconfigure(call: Call) -> None:
    call.board.unconfigure_fpga(call.now)


def _list_flash(call: Call) -> None:
    call.say("\r\n".join(call.board.flash.listing()))


def _check_flash_interlock(call: Call) -> None:
    if not call.board.interlocks.mcu_flash:
        raise Refused("flash interlock not set")


def _remove(call: Call, name: str) -> None:
    _check_flash_interlock(call)
    call.board.flash.remove(name)


def _clear(call: Call) -> None:
    _check_flash_interlock(call)
    call.board.flash.clear()


def _upload(call: Call, name: str) -> None:
    _check_flash_interlock(call)
    call.reply.upload = name


def _cat(call: Call, name: str) -> None:
    call.send(call.board.flash.content(name))


def _dom_clock(call: Call) -> tuple[int, int]:
    ticks = call.board.clock.ticks(call.now)
    return ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFFFFFF


def _write(call: Call, count: int, address: int) -> None:
    call.board.fpga.write(address, call.pop_numbers(count))


def _words(call: Call, count: int, address: int) -> list[int]:
    if not 0 <= count <= MAX_READ_WORDS:
        raise Refused(f"bad length {count}")
    return call.board.fpga.read(address, count)


def _print_words(call: Call, count: int, address: int) -> None:
    call.say(" ".join(str(word) for word in _words(call, count, address)))


def _dump_words(call: Call, count: int, address: int) -> None:
    call.send(b"".join(word.to_bytes(2, "little") for word in _words(call, count, address)))


def _dump_memory(call: Call, lane: int, count: int, address: int) -> None:  # noqa: ARG001  # nothing is stored there
    if not 0 <= count <= MAX_READ_WORDS:
        raise Refused(f"bad length {count}")
    call.send(bytes(2 * count))


def _test_memory(call: Call, pages: int) -> None:
    if not 0 < pages <= 65536:
        raise Refused(f"bad number of pages {pages}")
    # The public client reads the third and the fifth word: 1 means passed.
    call.say("DDR3 lane0 1, lane1 1")
    call.wait(pages / 65536.0)


FPGA: Final = (
    Word(
        "fpgaVersion",
        "-- version",
        "The running version; 65535 without one.",
        lambda call: call.board.fpga.version(),
    ),
    Word("flashLS", "--", "Prints the files in flash, the newest last.", _list_flash),
    Word("flashConfigureFPGA", "name$ --", "Configures the FPGA with an image from flash.", _configure),
    Word("flashConfigureCycloneFPGA", "name$ --", "The same, as older clients call it.", _configure),
    Word("unconfigureFPGA", "--", "Makes the FPGA forget its configuration.", _unconfigure),
    Word("flashRemove", "name$ --", "Deletes a file; the flash interlock is needed.", _remove),
    Word("flashClear", "--", "Deletes all files; the flash interlock is needed.", _clear),
    Word(
        "ymodemFlashUpload", "name$ --", "Receives a file by YMODEM; the flash interlock is needed.", _upload
    ),
    Word("flashCat", "name$ --", "Prints what a file holds.", _cat),
    Word(
        "domClock", "-- low high", "Ticks of 240 MHz, as two halves of 32 bits.", _dom_clock, needs_fpga=True
    ),
    Word("fpgaWrite", "count address --", "Writes the words below on the stack.", _write, needs_fpga=True),
    Word("printFPGA", "count address --", "Prints words.", _print_words, needs_fpga=True),
    Word("dumpFPGA", "count address --", "Sends words of 16 bits.", _dump_words, needs_fpga=True),
    Word("dumpDDR3", "lane count address --", "Sends words of 16 bits.", _dump_memory, needs_fpga=True),
    Word(
        "memtest",
        "pages --",
        "Tests the memory; prints a 1 for each good lane.",
        _test_memory,
        needs_fpga=True,
    ),
)
