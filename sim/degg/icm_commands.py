"""Commands to a wire pair: JSON objects of texts in, JSON objects out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sim.degg import icm_registers as reg
from sim.degg.icm import Icm
from sim.degg.wire_pairs import OK, Reply, WirePair
from sim.kernel import SimTime

MAX_BYTES: Final = 1 << 16
"""Of a request; a longer one is not read."""
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")
_KEYS: Final = ("command", "device", "register", "value")


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed request."""

    command: str
    device: int | None
    register: str
    value: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    `of_hub` is given no ICM: it is about the wire pair, whatever device the client names. `of_icm` is given each ICM
    that it is meant for.
    """

    of_hub: Callable[[WirePair, SimTime], Reply] | None = None
    of_icm: Callable[[WirePair, Icm, Request, SimTime], Reply] | None = None
    remote: bool = False
    """Only for modules; without a device, for each module in turn."""
    local: bool = False
    """Only for the field hub: naming a module is an error."""


def number(text: str) -> int | None:
    """A number as clients write it, `258` or `0x0102`; None: the text is none."""
    return int(text, 16 if text[:2] in ("0x", "0X") else 10) if _NUMBER.fullmatch(text) else None


def answer(pair: WirePair, body: bytes, now: SimTime) -> Reply:
    """Do what a request asks. Never raises, whatever the bytes are."""
    figures = pair.figures.icm
    request = _request(body)
    if request is None:
        return Reply(figures.bad_request)
    if isinstance(request, str):
        return Reply(figures.bad_device)
    command = COMMANDS.get(request.command)
    if command is None:
        return Reply(figures.bad_command)
    if command.local and request.device not in (None, reg.HUB):
        return Reply(figures.local_only)
    if command.of_hub is not None:
        return command.of_hub(pair, now)
    if command.remote and request.device == reg.HUB:
        return Reply(figures.remote_only)
    return _to_icms(pair, command, request, now)


def encoded(reply: Reply) -> bytes:
    """The answer's bytes."""
    fields: dict[str, Any] = {"status": reply.status}
    if reply.value is not None:
        fields["value"] = reply.value
    return json.dumps(fields).encode()


def _request(body: bytes) -> Request | str | None:
    """The request; a text when only its device is wrong; None when it is no request."""
    if len(body) > MAX_BYTES:
        return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "command" not in fields:
        return None
    texts = {key: fields.get(key, "") for key in _KEYS}
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    device = number(texts["device"]) if "device" in fields else None
    if "device" in fields and (device is None or device > reg.HUB):
        return "device"
    return Request(texts["command"].lower(), device, texts["register"], texts["value"])


def _to_icms(pair: WirePair, command: Command, request: Request, now: SimTime) -> Reply:
    assert command.of_icm is not None
    if request.device is not None:
        addresses = [request.device]
    elif command.remote:
        addresses = [address for address in pair.connected(now) if address != reg.HUB]
    else:
        return Reply(pair.figures.icm.bad_device)
    reply, after_s = Reply(OK), 0.0
    for address in addresses:
        icm = pair.reached(address, now)
        one = icm if isinstance(icm, Reply) else command.of_icm(pair, icm, request, now)
        after_s += one.after_s
        if one.status != OK or len(addresses) == 1:
            reply = one
    return Reply(reply.status, reply.value, after_s)


def _hub_ready(act: Callable[[WirePair, SimTime], Reply], *, local: bool = False) -> Command:
    """A command of the wire pair that its hub must be there for."""

    def checked(pair: WirePair, now: SimTime) -> Reply:
        hub = pair.reached(reg.HUB, now)
        return hub if isinstance(hub, Reply) else act(pair, now)

    return Command(of_hub=checked, local=local)


def _probe(pair: WirePair, now: SimTime) -> Reply:
    pair.find(now)
    return Reply(OK, after_s=pair.figures.icm.probe_s)


def _wire_pair(on: bool) -> Command:
    def switch(pair: WirePair, now: SimTime) -> Reply:
        pair.switch(now, on)
        return Reply(OK)

    return _hub_ready(switch, local=True)


def _mainboard(on: bool) -> Command:
    def switch(pair: WirePair, icm: Icm, _: Request, now: SimTime) -> Reply:
        pair.switch_mainboard(now, icm, on)
        return Reply(OK)

    return Command(of_icm=switch, remote=True)


def _bits(address: int, bits: int, on: bool, *, remote: bool) -> Command:
    def set_bits(_: WirePair, icm: Icm, __: Request, now: SimTime) -> Reply:
        icm.set_bits(now, address, bits, on)
        return Reply(OK)

    return Command(of_icm=set_bits, remote=remote)


def _interlock(bit: int, on: bool) -> Command:
    return _bits(reg.CTRL2, bit | (reg.INTERLOCKS if on else 0), on, remote=True)


def _mcu_reset(_: WirePair, icm: Icm, __: Request, now: SimTime) -> Reply:
    assert icm.wired is not None
    icm.wired.board.reboot(now)
    return Reply(OK)


def _gps_enable(pair: WirePair, now: SimTime) -> Reply:
    pair.gps.enable(now)
    return Reply(OK)


def _icm_time(pair: WirePair, icm: Icm, _: Request, now: SimTime) -> Reply:
    ticks = pair.latched_ticks(now) if icm is pair.hub else pair.ticks(now, icm)
    return Reply(OK, f"0x{ticks:012x}")


def _rapcal_all(pair: WirePair, now: SimTime) -> Reply:
    for address in pair.connected(now):
        if address != reg.HUB:
            pair.calibrate(now, pair.icms[address])
    return Reply(OK)


def _rapcal(pair: WirePair, icm: Icm, _: Request, now: SimTime) -> Reply:
    pair.calibrate(now, icm)
    return Reply(OK)


def _read(pair: WirePair, icm: Icm, request: Request, now: SimTime) -> Reply:
    address = reg.address_of(request.register, number(request.register))
    if address is None:
        return Reply(pair.figures.icm.bad_register)
    return Reply(OK, pair.read(now, icm, address))


def _write(pair: WirePair, icm: Icm, request: Request, now: SimTime) -> Reply:
    address, value = reg.address_of(request.register, number(request.register)), number(request.value)
    if address is None:
        return Reply(pair.figures.icm.bad_register)
    if value is None or value > 0xFFFF or not pair.write(now, icm, address, value):
        return Reply(pair.figures.icm.bad_value)
    return Reply(OK)


def _set_image(pair: WirePair, icm: Icm, request: Request, now: SimTime) -> Reply:
    value = number(request.value)
    if value is None or value > 7:
        return Reply(pair.figures.icm.bad_value)
    icm.set_plain(now, reg.MULTIB_ID, value)
    return Reply(OK)


def _reconfigure(pair: WirePair, icm: Icm, _: Request, now: SimTime) -> Reply:
    pair.reconfigure(now, icm)
    return Reply(OK)


def _reboot(pair: WirePair, icm: Icm, request: Request, now: SimTime) -> Reply:
    """What the public script of that name does in steps: image, reconfiguration, and all as it was before."""
    if request.value and (refused := _set_image(pair, icm, request, now)).status != OK:
        return refused
    controls = {address: icm.plain(address) for address in (reg.CTRL1, reg.CTRL2)}
    powered = pair.power.wire_pairs[pair.group] if icm is pair.hub else pair.mainboard_on(icm)
    pair.reconfigure(now, icm)
    icm.away_until = now  # the answer comes when it is back
    if icm is pair.hub:
        pair.switch(now, powered)
        pair.find(now)
    else:
        pair.switch_mainboard(now, icm, powered)
    for address, value in controls.items():
        icm.set_plain(now, address, value)
    seconds = pair.figures.icm.hub_reconfigure_s if icm is pair.hub else pair.figures.icm.reconfigure_s
    return Reply(OK, after_s=seconds)


COMMANDS: Final[Mapping[str, Command]] = {
    "version": Command(of_hub=lambda pair, _: Reply(OK, pair.figures.icm.version)),
    "devlist": _hub_ready(lambda pair, now: Reply(OK, pair.connected(now))),
    "probe": _hub_ready(_probe),
    "wp_on": _wire_pair(True),
    "wp_off": _wire_pair(False),
    "wp_voltage": _hub_ready(lambda pair, _: Reply(OK, f"{pair.volts():.3f}")),
    "wp_current": _hub_ready(lambda pair, _: Reply(OK, f"{pair.amperes():.4f}")),
    "mb_on": _mainboard(True),
    "mb_off": _mainboard(False),
    "pmt_hv_enable": _interlock(reg.PMT_HV, True),
    "pmt_hv_disable": _interlock(reg.PMT_HV, False),
    "lid_enable": _interlock(reg.LID, True),
    "lid_disable": _interlock(reg.LID, False),
    "mcu_flash_enable": _interlock(reg.MCU_FLASH, True),
    "mcu_flash_disable": _interlock(reg.MCU_FLASH, False),
    "gps_enable": _hub_ready(_gps_enable),
    "get_gps_ctrl": _hub_ready(lambda pair, now: Reply(OK, f"0x{pair.gps.control(now):04x}")),
    "get_gps_status": _hub_ready(lambda pair, _: Reply(OK, f"0x{pair.gps.status():04x}")),
    "get_gps_time": _hub_ready(lambda pair, now: Reply(OK, pair.gps.text(now))),
    "get_icm_time": Command(of_icm=_icm_time),
    "rapcal": Command(of_icm=_rapcal, remote=True),
    "rapcal_all": _hub_ready(_rapcal_all),
    "read": Command(of_icm=_read),
    "write": Command(of_icm=_write),
    "ext_osc_enable": _bits(reg.CTRL1, reg.EXTERNAL_CLOCK, True, remote=False),
    "ext_osc_disable": _bits(reg.CTRL1, reg.EXTERNAL_CLOCK, False, remote=False),
    "term_enable": _bits(reg.CTRL1, reg.TERMINATED, True, remote=False),
    "term_disable": _bits(reg.CTRL1, reg.TERMINATED, False, remote=False),
    "mcu_reset": Command(of_icm=_mcu_reset, remote=True),
    "set_fpga_image_id": Command(of_icm=_set_image),
    "fpga_reconfig": Command(of_icm=_reconfigure),
    "icm_fpga_reboot": Command(of_icm=_reboot),
}
