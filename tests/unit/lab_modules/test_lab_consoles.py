"""Consoles over real sockets, met by a client that does what the public one does: connections, starts, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sim.kernel.clock import SimClock, manual_clock, wall_clock

MakeLab = Callable[[SimClock], Any]


async def test_one_client_at_a_time_and_the_next_one_works(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    first = await lab.client()
    second = await lab.client(start=False)
    with pytest.raises(ConnectionError):
        await asyncio.to_thread(second.cmd, "boot")
    assert await asyncio.to_thread(first.number, "fpgaVersion .s drop") == 272
    other = await lab.client(5001)
    assert await asyncio.to_thread(other.cmd, "icmID") != await asyncio.to_thread(first.cmd, "icmID")
    first.close()
    third = await lab.client()
    assert await asyncio.to_thread(third.number, "fpgaVersion .s drop") == 272


async def test_a_client_that_leaves_while_the_board_is_at_work_does_not_block_the_next(
    make_lab: MakeLab,
) -> None:
    lab = await make_lab(wall_clock())
    client = await lab.client()
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(client.cmd, "300000000 usleep", 0.1)
    client.close()
    following = await lab.client()
    assert await asyncio.to_thread(following.number, "fpgaVersion .s drop") == 272


def check_status(client: Any, recorded: int) -> int:
    """The version, after up to three attempts to flash it again."""
    for _ in range(3):
        if client.number("fpgaVersion .s drop") == recorded:
            break
        name = client.cmd("flashLS").splitlines()[-1].split()[0]
        client.cmd(f's" {name}" flashConfigureFPGA', 10)
    return client.number("fpgaVersion .s drop")


@pytest.mark.parametrize("clock", [wall_clock, manual_clock])
async def test_reboot_over_the_same_connection(make_lab: MakeLab, clock: Callable[[], SimClock]) -> None:
    lab = await make_lab(clock())
    client = await lab.client()

    def reboot() -> int:
        with pytest.raises(TimeoutError):
            client.cmd("reboot", 0.2)
        client.start()
        assert client.number("fpgaVersion .s drop") == 65535
        assert client.cmd("sloAdcReadAll") == "sloAdcReadChannel: FAIL"
        return check_status(client, 272)

    assert await asyncio.to_thread(reboot) == 272


@pytest.mark.parametrize(
    ("fault", "mended"), [("wrong_fpga", 272), ("unconfigured_fpga", 272), ("refuse_configuration", 65535)]
)
async def test_a_status_check_flashes_again(make_lab: MakeLab, fault: str, mended: int) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()
    if fault == "refuse_configuration":
        lab.faults["degg.5000"].switch_on("wrong_fpga")
    lab.faults["degg.5000"].switch_on(fault)
    assert await asyncio.to_thread(client.number, "fpgaVersion .s drop") != 272
    if fault == "refuse_configuration":
        await asyncio.to_thread(client.cmd, 's" degg_fw_v0x110.rbf" flashConfigureFPGA')
        lab.faults["degg.5000"].switch_off("wrong_fpga")
    assert await asyncio.to_thread(check_status, client, 272) == mended


async def test_a_power_cycle_and_one_that_hangs(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()

    def switch(on: bool) -> None:
        lab.world.power.set_wire_pair(lab.clock.now, 5000, on)

    lab.faults["degg.5000"].switch_on("hang_power_cycle")
    for starts in (False, True):
        switch(False)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(client.cmd, "boot", 0.1)
        switch(True)
        if not starts:
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(client.cmd, "boot", 0.1)
    await asyncio.to_thread(client.start)
    assert await asyncio.to_thread(check_status, client, 272) == 272


async def test_rapcal_packets_come_unasked(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()
    lab.modules[5000].console_output(b"\x01\x00\x02\x00xy")
    assert await asyncio.to_thread(client.read_next, 6, 5.0) == b"\x01\x00\x02\x00xy"


@pytest.mark.parametrize("fault", ["time_out", "absent", "stay_silent"])
async def test_a_module_that_does_not_respond(make_lab: MakeLab, fault: str) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()
    lab.faults["degg.5000"].switch_on(fault)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(client.cmd, "boot", 0.1)
    lab.faults["degg.5000"].switch_off(fault)
    assert await asyncio.to_thread(client.number, "fpgaVersion .s drop") == 272
