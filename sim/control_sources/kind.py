"""The device kind `control_sources`."""

from __future__ import annotations

from collections.abc import Mapping

from sim.control_sources.config import ControlSourcesTable
from sim.control_sources.fault_specs import FAULTS
from sim.kernel.device import DeviceKind, Server, Surroundings


def build(surroundings: Surroundings, table: ControlSourcesTable) -> Mapping[str, Server]:
    """Build the sources. Endpoint suffixes: `bridge`, `control`."""
    from sim.control_sources.device import ControlSourcesDevice
    from sim.control_sources.server import BridgeSocket, control_app
    from sim.kernel.http import HttpServer

    socket = BridgeSocket(surroundings.name, table.mode, table.port)
    device = ControlSourcesDevice(
        table, surroundings.seed, surroundings.faults, surroundings.clock.unix_ns, socket.send
    )
    attached = surroundings.clock.attach(device)
    control = HttpServer(
        surroundings.name,
        control_app(device, attached.poke),
        transcript=surroundings.transcript,
        channel="control",
    )
    return {"bridge": socket, "control": control}


KIND = DeviceKind(
    name="control_sources",
    about="an X-ray gas monitor and a camera on a karabo bridge, one message for each train",
    config=ControlSourcesTable,
    faults=FAULTS,
    build=build,
)
