"""What task processes of optical modules find loaded: importing takes half a second, a run has hundreds of tasks."""

from __future__ import annotations

from typing import Final

PRELOAD: Final = (
    "numpy",
    "numpy.ma",  # what else is loaded when it is used
    "h5py",
    "httpcore",  # by the first request: a twelfth of a second of a core, and each check between tasks makes one
    "encodings.idna",
    "fat.tasks.checks",
    *(
        f"fat.degg.tasks.{name}"
        for name in (
            "boots",
            "booted",
            "cameras",
            "flasher",
            "freezer_change",
            "gain",
            "high_voltage",
            "housekeeping",
            "instruments",
            "linearity",
            "monitored",
            "monitoring",
            "pulses",
            "remote",
            "safety",
            "scaler",
            "self_tests",
            "spe",
            "status",
            "timing",
        )
    ),
)
"""Modules that start no threads: those would not survive a fork."""
