"""Self-tests of the wire pair: field hub, ICM, interlocks, time calibration."""

from __future__ import annotations

import contextlib
from typing import Final

from fat.degg.self_tests.subject import Finding, Subject
from fat.degg.station import InstrumentRefused
from fat.degg.station.rapcal import DOM_PER_ICM, ICM_HZ, Exchange, exchange
from fat.degg.station.wire_pair import HUB

WIRE_PAIR_V: Final = (70.0, 110.0)
WIRE_PAIR_A: Final = (0.005, 2.0)
IN_STEP_S: Final = 1.0
"""Clocks of mainboard and ICM are read one after the other."""
EXCHANGES: Final = 3
OFF_SHARE: Final = 50e-6
"""So far a module's clock may run away from the hub's."""
JITTER_TICKS: Final = 0.5


def field_hub(subject: Subject) -> Finding:
    """The hub answers, sees the module, and gives it power."""
    addresses, found = subject.pair.addresses(), Finding()
    found.values["addresses"] = addresses
    found.demand(HUB in addresses, "the field hub's ICM is not connected")
    found.demand(subject.address in addresses, f"the module at {subject.address} is not connected")
    found.demand_within("voltage", subject.pair.volts(), *WIRE_PAIR_V, "V")
    found.demand_within("current", subject.pair.amperes(), *WIRE_PAIR_A, "A")
    return found


def icm_base(subject: Subject) -> Finding:
    """The ICM on the wire pair is the one that the mainboard knows, and so is the mainboard."""
    module, found = subject.module, Finding()
    for name, own, register in (
        ("ICM", module.icm_id(), "ICM_ID"),
        ("mainboard", module.mainboard_id(), "MB_ID"),
    ):
        seen = subject.pair.register(subject.address, register).lower().removeprefix("0x")
        found.values[name] = own
        found.demand(seen == own.lower(), f"the {name} is {own} at the console and {seen} on the wire pair")
    return found


def icm_sync(subject: Subject) -> Finding:
    """Clocks of mainboard and ICM count in step: 240 MHz and 60 MHz from the same zero."""
    module, found = subject.module, Finding()
    before = module.dom_clock() / DOM_PER_ICM
    icm = int(module.console.ask("icmReadCurrentTime").strip(), 0)
    after = module.dom_clock() / DOM_PER_ICM
    found.values |= {"icm": icm, "mainboard": round(before)}
    slack = IN_STEP_S * ICM_HZ
    found.demand(
        before - slack <= icm <= after + slack, "the ICM's clock is not in step with the mainboard's"
    )
    return found


def icm_firmware(subject: Subject) -> Finding:
    """Module and hub run the same firmware."""
    own, hub = (int(subject.pair.register(device, "FW_VERS"), 0) for device in (subject.address, HUB))
    found = Finding({"module": f"{own:#06x}", "hub": f"{hub:#06x}"})
    found.demand(
        own == hub and own not in (0, 0xFFFF), f"firmware {own:#06x} and the hub's {hub:#06x} differ"
    )
    return found


def icm_write_protect(subject: Subject) -> Finding:
    """What can only be read stays as it is."""
    pair, address = subject.pair, subject.address
    before = pair.register(address, "FW_VERS")
    other = f"{int(before, 0) ^ 0x1:#06x}"
    with contextlib.suppress(InstrumentRefused):
        pair.ask("write", address, register="FW_VERS", value=other)
    after = pair.register(address, "FW_VERS")
    found = Finding({"before": before, "after": after})
    found.demand(after == before, f"the firmware's version could be overwritten: {after} for {before}")
    return found


def interlock(subject: Subject) -> Finding:
    """The console shows interlocks as the ICM sets them. They are left as they were; high voltage's is not touched."""
    module, pair, address, found = subject.module, subject.pair, subject.address, Finding()
    found.values["pmt_hv"] = module.hv_interlock()
    for name, word, permit in (
        ("lid", "readLIDInterlock", pair.permit_light),
        ("flash", "readFlashInterlock", pair.permit_flash),
    ):
        before = bool(module.console.number(word))
        try:
            for state in (not before, before):
                permit(state, address)
                seen = bool(module.console.number(word))
                found.demand(seen is state, f"the {name} interlock reads {seen} and was set to {state}")
        finally:
            permit(before, address)
        found.values[name] = before
    return found


def rapcal(subject: Subject) -> Finding:
    """Time calibrations come, and agree with each other."""
    exchanges = [exchange(subject.module, subject.pair, subject.address) for _ in range(EXCHANGES)]
    first, found = exchanges[0], Finding({"exchanges": EXCHANGES})
    for one in exchanges[1:]:
        hub = one.hub - first.hub + (one.hub_part - first.hub_part)
        apart = _module_ticks(one, first) - hub
        found.demand(
            abs(apart) <= JITTER_TICKS + OFF_SHARE * abs(hub),
            f"clocks ran apart by {apart:.2f} ticks of 60 MHz",
        )
    return found


def _module_ticks(one: Exchange, first: Exchange) -> float:
    return one.module - first.module + (one.module_part - first.module_part)
