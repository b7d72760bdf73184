"""Lines between instruments and their clients: TCP sockets and serial ports, with the faults that all lines have."""

from sim.lab.lines.link import LINK_FAULTS, Link
from sim.lab.lines.pty import PtyLine
from sim.lab.lines.readings import READING_FAULTS, Readings
from sim.lab.lines.talk import Answer, Instrument, Speaker, Talker, Unasked
from sim.lab.lines.tcp import TcpLine

__all__ = [
    "LINK_FAULTS",
    "READING_FAULTS",
    "Answer",
    "Instrument",
    "Link",
    "PtyLine",
    "Readings",
    "Speaker",
    "Talker",
    "TcpLine",
    "Unasked",
]
