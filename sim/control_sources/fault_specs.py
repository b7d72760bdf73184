"""The faults of the control sources, with what shows each. Light to import: whoever reads a bench file asks."""

from __future__ import annotations

from typing import Final

from sim.kernel.faults import FaultSpec

FAULTS: Final = (
    FaultSpec(
        "late_message",
        "A train's message leaves `trains` ticks later, with those that follow.",
        "control_sources.trains_missing of the data acquisition",
        {"trains": 30},
    ),
    FaultSpec(
        "train_gap", "A train's message is never sent.", "control_sources.train_id_gaps and trains_missing"
    ),
    FaultSpec("repeated_train", "A train's message is sent twice.", "control_sources.trains_repeated"),
    FaultSpec(
        "truncated_message",
        "The message lacks its last part.",
        "control_sources.messages_malformed and last_problem",
    ),
    FaultSpec("wrong_dtype", "The camera's image comes as float32.", "control_sources.forms_changed"),
    FaultSpec("silent_source", "The XGM is not in the message.", "control_sources.sources_missing"),
)
