"""What the operator is shown of a mainboard: true values, without striking a fault or drawing a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.degg.channel import Channel
from sim.degg.module import Module
from sim.kernel import SimTime
from sim.lab.site import Shown


def shown_of(board: Module) -> Shown:
    """Serial number, temperature and high voltages, as the live page and `sim ls` show them."""

    def shown(now: SimTime) -> Mapping[str, Any]:
        return {
            "serial": board.serial,
            "board_c": round(board.true_temperature(now), 3),
            "started": not board.in_bootloader,
            "channels": [
                _channel(channel, now) for channel in board.channels if isinstance(channel, Channel)
            ],
        }

    return shown


def _channel(channel: Channel, now: SimTime) -> dict[str, Any]:
    on, volts = channel.hv.glance(now)
    return {"hv_on": on, "hv_volts": round(volts, 2), "hv_set_volts": channel.hv.set_volts}
