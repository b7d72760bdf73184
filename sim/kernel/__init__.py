"""What all simulators share: time, devices and servers, faults, transcripts, the process that hosts them."""

from sim.kernel.device import Device, DeviceKind, Problem, Server, Surroundings, Telling
from sim.kernel.faults import FaultBoard, FaultSpec
from sim.kernel.time import NS_PER_MS, NS_PER_S, NS_PER_US, SimTime
from sim.kernel.transcript import Transcript

__all__ = [
    "NS_PER_MS",
    "NS_PER_S",
    "NS_PER_US",
    "Device",
    "DeviceKind",
    "FaultBoard",
    "FaultSpec",
    "Problem",
    "Server",
    "SimTime",
    "Surroundings",
    "Telling",
    "Transcript",
]
