"""Analyses by their names in schedules: `trigger_remote_wrapper(analysis)` (fat.md section 7).

The published acceptance test copies data to another computer and starts an analysis there. Here it runs where the run
does, in a process of its own as every task, and beside what follows (`fat.degg.schedule.beside`,
which arranges each schedule in which this function is called).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

from fat.errors import UsageError
from scheduler import TaskContext, TaskResult, declares

ANALYSES: Final[Mapping[str, str]] = {
    "darkrate": "scaler:analyse_dark_rate",
    "gain": "gain:analysis_wrapper",
    "spe": "spe:analyse_spe",
    "dt": "spe:analyse_delta_t",
    "linearity": "linearity:analyse_linearity",
    "double_pulse": "pulses:analyse_double_pulse",
    "burst_pulse": "pulses:analyse_burst",
    "long_waveform": "pulses:analyse_long_waveform",
    "tts": "timing:analyse_timing",
    "flasher_chargestamp": "flasher:analyse_flasher",
    "quick_monitoring": "monitored:analyse_quick",
    "detailed_monitoring": "monitored:analyse_detailed",
    "gainscan_monitoring": "monitored:analyse_gain_scan",
    "reboot_monitoring": "booted:analyse_boots",
}
"""Name: module below `fat.degg.tasks`, and function."""


@declares(arranged_by="fat.degg.schedule.beside:analyses_beside")
def trigger_remote_wrapper(context: TaskContext, analysis: str) -> TaskResult:
    """Do the analysis of that name of what was measured last. Raises UsageError for a name that there is not."""
    return function_of(analysis)(context)


def function_of(analysis: str) -> Callable[[TaskContext], TaskResult]:
    """The analysis of that name. Raises UsageError."""
    place = ANALYSES.get(analysis)
    if place is None:
        close = difflib.get_close_matches(analysis, ANALYSES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(ANALYSES))}"
        raise UsageError(f"there is no analysis {analysis!r}; {hint}")
    module, _, name = place.partition(":")
    found: Callable[[TaskContext], TaskResult] = getattr(import_module(f"fat.degg.tasks.{module}"), name)
    return found
