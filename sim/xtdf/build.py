"""From a bench's table to a detector that sends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import numpy as np

from sim.kernel.device import Server, Surroundings
from sim.kernel.http import HttpServer
from sim.xtdf.config import AgipdTable, pdu_name
from sim.xtdf.control import ControlServer, control_app
from sim.xtdf.device import Agipd
from sim.xtdf.forward import ModuleModel
from sim.xtdf.kernels import PIXELS
from sim.xtdf.link import UdpLink
from sim.xtdf.sender import ModuleSender
from sim.xtdf.truth import ModuleTruth, build_truth
from sim.xtdf.truth_file import write_truth


def build_agipd(surroundings: Surroundings, table: AgipdTable) -> Mapping[str, Server]:
    """The detector's only address is `control`; its modules send to the endpoints `daq.{channel}`.

    Raises SimError when an endpoint cannot be sent to.
    """
    truths = {channel: build_truth(table, surroundings.seed, pdu_name(channel)) for channel in table.channels}
    senders = [_sender(surroundings, table, channel, truth) for channel, truth in truths.items()]
    device = Agipd(surroundings.name, table, senders)
    attached = surroundings.clock.attach(device)

    async def prepare() -> None:
        path = surroundings.data_dir / "truth" / f"{surroundings.name}.h5"
        await asyncio.to_thread(write_truth, path, table, surroundings.seed, truths.items())
        await asyncio.to_thread(warm, senders[0].model)

    def close() -> None:
        for sender in senders:
            if sender.link is not None:
                sender.link.close()

    http = HttpServer(
        surroundings.name,
        control_app(device, surroundings.clock, attached.poke),
        transcript=surroundings.transcript,
        channel="control",
    )
    return {"control": ControlServer(device, http, prepare, close)}


def warm(model: ModuleModel) -> None:
    """Compile the kernels, or load them from their cache, before the first train needs them."""
    model.make_images(np.zeros((1, 2 * PIXELS), np.uint16), 0, "adaptive", "rings")


def _sender(surroundings: Surroundings, table: AgipdTable, channel: int, truth: ModuleTruth) -> ModuleSender:
    address = surroundings.endpoints.get(f"daq.{channel}")
    link = UdpLink(address) if isinstance(address, str) else None
    model = ModuleModel(truth, surroundings.seed, channel, table.flat_photons)
    return ModuleSender(model, table, surroundings.seed, link, surroundings.faults)
