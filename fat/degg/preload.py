"""What task processes of optical modules find loaded: importing takes half a second, a run has hundreds of tasks."""

from __future__ import annotations

from typing import Final

PRELOAD: Final = (
    "numpy",
    "numpy.ma",
    "h5py",
    "httpcore",
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
"""Modules that start no threads: those would not survive a fork.

Among them is what others import only when it is used: `numpy.ma` by medians, `httpcore` by httpx, `encodings.idna` by
every connection.
"""
