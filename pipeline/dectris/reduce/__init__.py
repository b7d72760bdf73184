"""What is made of the frames while they come."""

from pipeline.dectris.reduce.reduction import (
    FrameReduction,
    FrameSums,
    PackedReduction,
    Reduction,
    StackReduction,
    Sum,
)
from pipeline.dectris.reduce.weighted import CentreOfMass, VirtualDetectors, disk, ring

__all__ = [
    "CentreOfMass",
    "FrameReduction",
    "FrameSums",
    "PackedReduction",
    "Reduction",
    "StackReduction",
    "Sum",
    "VirtualDetectors",
    "disk",
    "ring",
]
