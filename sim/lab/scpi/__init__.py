"""SCPI without sockets and clocks: tables of commands become instruments."""

from sim.lab.scpi.bus import BusSession
from sim.lab.scpi.errors import ScpiError
from sim.lab.scpi.instrument import Dialect, ScpiInstrument
from sim.lab.scpi.parameters import Block, Boolean, Channels, Choice, Number, Quantity, Text, Value
from sim.lab.scpi.table import Call, Command, Entry, Kept, Query, Setting

__all__ = [
    "Block",
    "Boolean",
    "BusSession",
    "Call",
    "Channels",
    "Choice",
    "Command",
    "Dialect",
    "Entry",
    "Kept",
    "Number",
    "Quantity",
    "Query",
    "ScpiError",
    "ScpiInstrument",
    "Setting",
    "Text",
    "Value",
]
