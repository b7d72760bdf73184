"""The laboratory of the optical modules: clients of its instruments, from addresses alone.

They speak what the instruments' protocols say and know nothing of simulators, so they work on real hardware too.
"""

from fat.degg.station.errors import (
    AnswerMalformed,
    EventsMissing,
    InstrumentRefused,
    InstrumentSilent,
    MeasurementFailed,
    ModuleRefused,
    ModuleSilent,
    StationError,
)
from fat.degg.station.module import Module
from fat.degg.station.records import ChargeStamps, Waveforms
from fat.degg.station.station import HV_SETTLING_S, Station

__all__ = [
    "HV_SETTLING_S",
    "AnswerMalformed",
    "ChargeStamps",
    "EventsMissing",
    "InstrumentRefused",
    "InstrumentSilent",
    "MeasurementFailed",
    "Module",
    "ModuleRefused",
    "ModuleSilent",
    "Station",
    "StationError",
    "Waveforms",
]
