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
from sim.xtdf.config import AgipdTable, pdu_name
from sim.xtdf.control import ControlServer, control_app
from sim.xtdf.device import Agipd, operating_conditions
from sim.xtdf.forward import AgipdModule
from sim.xtdf.inject import AGE_S, Campaign, inject
from sim.xtdf.kernels import PIXELS
from sim.xtdf.link import UdpLink
from sim.xtdf.sender import ModuleSender
from sim.xtdf.truth import build_truth
from sim.xtdf.truth_file import write_truth

Endpoints = Mapping[str, str | Sequence[str]]


def build_agipd(surroundings: Surroundings, table: AgipdTable) -> Mapping[str, Server]:
    """The detector's only address is `control`; its modules send to the endpoints `daq.{channel}`.

    Raises SimError when an endpoint cannot be sent to.
    """
    name = surroundings.name
    detector = make_agipd(name, table, surroundings.seed, surroundings.endpoints, surroundings.faults)
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


def make_agipd(name: str, table: AgipdTable, seed: int, endpoints: Endpoints, board: FaultBoard) -> Agipd:
    """A detector whose modules have links; a module without an endpoint `daq.{channel}` sends nowhere."""
    senders = []
    for channel in table.channels:
        address = endpoints.get(f"daq.{channel}")
        link = UdpLink(address) if isinstance(address, str) else None
        truth = build_truth(table, seed, pdu_name(channel))
        model = AgipdModule(truth, seed, channel, table.flat_photons)
        senders.append(ModuleSender(model, table, seed, link, board))
    return Agipd(name, table, senders)


def warm(detector: Agipd) -> None:
    """Compile the kernels, or load them from their cache, before the first train needs them."""
    images = np.zeros((1, 2 * PIXELS), np.uint16)
    detector.modules[0].model.make_images(images, 0, "adaptive", "rings")


def _prepare(surroundings: Surroundings, detector: Agipd) -> None:
    models = [module.model for module in detector.modules if isinstance(module.model, AgipdModule)]
    write_truth(
        surroundings.data_dir / "truth" / f"{surroundings.name}.h5",
        detector.table,
        surroundings.seed,
        [(model.channel, model.truth) for model in models],
    )
    rest, store = surroundings.endpoints.get("caldb.rest"), surroundings.endpoints.get("caldb.store")
    if detector.table.inject_constants and isinstance(rest, str) and isinstance(store, str):
        campaign = Campaign(
            surroundings.seed,
            detector.table.calibration_error,
            operating_conditions(detector.table),
            surroundings.clock.unix_ns(SimTime(0)) // NS_PER_S - AGE_S,
        )
        inject(rest, Path(store), campaign, [model.truth for model in models])
    warm(detector)
