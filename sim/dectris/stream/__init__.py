"""The two ZeroMQ streams of a control unit: messages, sender, faults."""

from sim.dectris.fault_specs import STREAM_FAULTS
from sim.dectris.stream.patience import Policy
from sim.dectris.stream.settings import Settings
from sim.dectris.stream.sink import StreamOptions, StreamServer, StreamSink

__all__ = ["STREAM_FAULTS", "Policy", "Settings", "StreamOptions", "StreamServer", "StreamSink"]
