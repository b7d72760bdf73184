"""The file writer of a control unit: images to HDF5 files, which clients fetch over REST."""

from sim.dectris.filewriter.names import NameRefused, base_name
from sim.dectris.filewriter.sink import BUFFER_BYTES, FileWriterSink

__all__ = ["BUFFER_BYTES", "FileWriterSink", "NameRefused", "base_name"]
