"""From a bench's table to a detector that sends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sim.kernel.device import Server, Surroundings
from sim.kernel.faults import FaultBoard
from sim.kernel.http import HttpServer
from sim.kernel.time import NS_PER_S, SimTime
from sim.xtdf.config import AgipdTable, AnyTable, DsscTable, LpdTable, pdu_name
from sim.xtdf.control import ControlServer, control_app
from sim.xtdf.device import Detector
from sim.xtdf.link import UdpLink
from sim.xtdf.module import ModuleModel
from sim.xtdf.sender import ModuleSender
from sim.xtdf.truth_file import write_truth

Endpoints = Mapping[str, str | Sequence[str]]


def build_detector(surroundings: Surroundings, table: AnyTable) -> Mapping[str, Server]:
    """The detector's only address is `control`; its modules send to the endpoints `daq.{channel}`.

    Raises SimError when an endpoint cannot be sent to.
    """
    name = surroundings.name
    detector = make_detector(name, table, surroundings.seed, surroundings.endpoints, surroundings.faults)
    attached = surroundings.clock.attach(detector)

    async def prepare() -> None:
        await asyncio.to_thread(_prepare, surroundings, detector)

    http = HttpServer(
        name,
        control_app(detector, surroundings.clock, attached.poke),
        transcript=surroundings.transcript,
        channel="control",
    )
    return {"control": ControlServer(detector, http, prepare)}


def make_detector(name: str, table: AnyTable, seed: int, endpoints: Endpoints, board: FaultBoard) -> Detector:
    """A detector whose modules have links; a module without an endpoint `daq.{channel}` sends nowhere."""
    senders = []
    for channel in table.channels:
        address = endpoints.get(f"daq.{channel}")
        link = UdpLink(address) if isinstance(address, str) else None
        senders.append(ModuleSender(make_module(table, seed, channel), table, seed, link, board))
    return Detector(name, table, senders)


def make_module(table: AnyTable, seed: int, channel: int) -> ModuleModel:
    """The module at a channel, drawn from (seed, physical name)."""
    serial = pdu_name(table.type, channel)
    match table:
        case AgipdTable():
            from sim.xtdf.agipd.forward import AgipdModule
            from sim.xtdf.agipd.truth import build_truth as agipd_truth

            truth = agipd_truth(table, seed, serial)
            return AgipdModule(truth, seed, channel, table.flat_photons, table.geometry)
        case LpdTable():
            from sim.xtdf.lpd.forward import LpdModule
            from sim.xtdf.lpd.truth import build_truth as lpd_truth

            return LpdModule(lpd_truth(table, seed, serial), table, seed, channel)
        case DsscTable():
            from sim.xtdf.dssc.forward import DsscModule
            from sim.xtdf.dssc.truth import build_truth as dssc_truth

            return DsscModule(dssc_truth(table, seed, serial), table, seed, channel)


def warm(detector: Detector) -> None:
    """Compile the kernels, or load them from their cache, before the first train needs them."""
    model = detector.modules[0].model
    images = np.zeros((detector.table.frames, model.wire.bytes_per_pulse // 2), np.uint16)
    least = 3 if isinstance(detector.table, LpdTable) and detector.table.parallel_gain else 1
    model.make_images(images[:least], 0, "adaptive", "flat")


def _prepare(surroundings: Surroundings, detector: Detector) -> None:
    models = [module.model for module in detector.modules]
    write_truth(
        surroundings.data_dir / "truth" / f"{surroundings.name}.h5", detector.table, surroundings.seed, models
    )
    rest, store = surroundings.endpoints.get("caldb.rest"), surroundings.endpoints.get("caldb.store")
    if detector.table.inject_constants and isinstance(rest, str) and isinstance(store, str):
        # Its HTTP client is a tenth of what this process imports; benches without a catalogue need none.
        from sim.xtdf.inject import AGE_S, Campaign, inject

        campaign = Campaign(
            surroundings.seed,
            detector.table.calibration_error,
            detector.table,
            surroundings.clock.unix_ns(SimTime(0)) // NS_PER_S - AGE_S,
        )
        inject(rest, Path(store), campaign, models)
    warm(detector)
