"""The monitor of a control unit: single images for people who look."""

from sim.dectris.monitor.sink import BUFFER_BYTES, MonitorSink
from sim.dectris.monitor.tiff import tiff

__all__ = ["BUFFER_BYTES", "MonitorSink", "tiff"]
