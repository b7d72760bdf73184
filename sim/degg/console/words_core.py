"""Words of the language itself, of the console's log, and of the board's identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.degg.console.forth import Call, Item, Word, shown
from sim.degg.refusal import Refused

MAX_SLEEP_S: Final = 300.0
LOG_LEVELS: Final = range(8)


def _print_stack(call: Call) -> None:
    items = "".join(f"{shown(item)} " for item in call.stack)
    call.say(f"<{len(call.stack)}> {items}")


def _drop_all(call: Call) -> None:
    call.stack.clear()


def _print(call: Call, item: Item) -> None:
    call.say(f"{shown(item)} ")


def _set_echo(call: Call, on: int) -> None:
    call.board.echo = on != 0


def _sleep(call: Call, micros: int) -> None:
    call.wait(min(MAX_SLEEP_S, max(0, micros) / 1e6))
    call.reply.until_input = True


def _log_output(on: bool) -> Callable[[Call], None]:
    def act(call: Call) -> None:
        call.say(str(int(call.board.log.enabled)))
        call.board.log.enabled = on

    return act


def _print_log(call: Call) -> None:
    call.say("\r\n".join(call.board.log.take()))


def _clear_log(call: Call) -> None:
    call.board.log.take()


def _set_log_level(call: Call, level: int) -> None:
    if level not in LOG_LEVELS:
        raise Refused(f"bad level {level}")
    call.say(str(call.board.log.level))
    call.board.log.level = level


def _reboot(call: Call) -> None:
    call.board.reboot(call.now)
    call.reply.silent = True


CORE: Final = (
    Word(
        "boot", "--", "Nothing, once Iceboot runs; in the boot loader it starts Iceboot.", lambda _call: None
    ),
    Word("reboot", "--", "Restarts the board; there is no answer.", _reboot),
    Word(".s", "--", "Prints depth and items of the stack.", _print_stack),
    Word(".", "x? --", "Prints the top item and takes it away.", _print),
    Word("drop", "x? --", "Takes the top item away.", lambda _call, _item: None),
    Word("sdrop", "--", "Empties the stack.", _drop_all),
    Word("dup", "x? -- x? x?", "Doubles the top item.", lambda _call, item: (item, item)),
    Word("swap", "x? y? -- y? x?", "Exchanges the two top items.", lambda _call, x, y: (y, x)),
    Word("over", "x? y? -- x? y? x?", "Copies the second item.", lambda _call, x, y: (x, y, x)),
    Word("true", "-- flag", "All bits set.", lambda _call: -1),
    Word("false", "-- flag", "Zero.", lambda _call: 0),
    Word("setecho", "flag --", "Whether the console echoes what it is sent.", _set_echo),
    Word("usleep", "us --", "Waits, at most five minutes.", _sleep),
    Word("enableLogOutput", "--", "Logs from now on; prints whether it did before.", _log_output(True)),
    Word("disableLogOutput", "--", "Logs no more; prints whether it did before.", _log_output(False)),
    Word("printLogOutput", "--", "Prints and forgets what was logged.", _print_log),
    Word("clearLogOutput", "--", "Forgets what was logged.", _clear_log),
    Word("setLogLevel", "level --", "Sets the log's level; prints the one before.", _set_log_level),
    Word("getLogLevel", "--", "Prints the log's level.", lambda call: call.say(str(call.board.log.level))),
    Word("printCommsLogs", "--", "Prints errors of the line; there are none.", lambda _call: None),
)


def _print_hex(call: Call, name: str) -> None:
    call.say(call.board.identity(name))


IDENTITY: Final = (
    Word("getBoardType", "-- type", "113, a D-Egg mainboard.", lambda call: call.board.board_type),
    Word(
        "softwareVersion",
        "-- version",
        "Version of Iceboot.",
        lambda call: call.board.figures.software_version,
    ),
    Word("printSoftwareId", "--", "Prints the build of Iceboot.", lambda call: _print_hex(call, "software")),
    Word("icmID", "--", "Prints the ICM's number.", lambda call: _print_hex(call, "icm")),
    Word("mainboardID", "--", "Prints the mainboard's number.", lambda call: _print_hex(call, "mainboard")),
    Word("flashID", "--", "Prints the flash memory's number.", lambda call: _print_hex(call, "flash")),
    Word("stmid", "--", "Prints the processor's number.", lambda call: _print_hex(call, "stm")),
    Word(
        "printFPGAChipID",
        "--",
        "Prints the FPGA's number.",
        lambda call: _print_hex(call, "fpga"),
        needs_fpga=True,
    ),
    Word(
        "getTick",
        "--",
        "Prints milliseconds since the board started.",
        lambda call: call.say(str(call.board.uptime_ms(call.now))),
    ),
    Word(
        "heapUtilization",
        "--",
        "Prints how much memory is taken.",
        lambda call: call.say("heap utilization 41472/491520 = 8.44%"),
    ),
)
