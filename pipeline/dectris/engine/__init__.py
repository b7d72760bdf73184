"""The data path of a DECTRIS acquisition: receive into slots, decode, reduce, keep books of what came and what not."""

from pipeline.dectris.engine.engine import Engine
from pipeline.dectris.engine.settings import Settings
from pipeline.dectris.values import FrameRange, Measured, Progress, SeriesReport, SeriesStart

__all__ = ["Engine", "FrameRange", "Measured", "Progress", "SeriesReport", "SeriesStart", "Settings"]
