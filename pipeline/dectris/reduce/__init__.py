"""What is made of the frames while they come."""

from pipeline.dectris.reduce.reduction import FrameSums, Reduction, StackReduction, Sum
from pipeline.dectris.reduce.weighted import CentreOfMass, VirtualDetectors, disk, ring

__all__ = [
    "CentreOfMass",
    "FrameSums",
    "Reduction",
    "StackReduction",
    "Sum",
    "VirtualDetectors",
    "disk",
    "ring",
]
