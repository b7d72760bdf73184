"""The configuration of a control unit: keys by module, what follows from a write, and the layout of its images."""

from __future__ import annotations

from sim.dectris.configuration.arrays import ArrayStore
from sim.dectris.configuration.detector import DetectorConfiguration
from sim.dectris.configuration.layout import layout_of
from sim.dectris.configuration.settings import (
    FilewriterSettings,
    MonitorSettings,
    Settings,
    StreamSettings,
    SystemSettings,
)

__all__ = [
    "ArrayStore",
    "DetectorConfiguration",
    "FilewriterSettings",
    "MonitorSettings",
    "Settings",
    "StreamSettings",
    "SystemSettings",
    "layout_of",
]
