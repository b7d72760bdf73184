"""Operating conditions of runs that other recorders made."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from pipeline.config import PipelineTable
from pipeline.constants import LpdConditions
from pipeline.daq.conditions import conditions_for
from pipeline.errors import RunUnreadable

LPD = PipelineTable.model_validate(
    {
        "detector": "FXE_DET_LPD1M-1",
        "type": "LPD",
        "memory_cells": 64,
        "conditions": {"feedback_capacitor_pf": 50.0, "memory_cell_order": "8,24,40,"},
    }
)


def foreign_run(folder: Path) -> Path:
    """A control file with LPD's public device only."""
    with h5py.File(folder / "RAW-R0001-DA01-S00000.h5", "w") as file:
        file["RUN/FXE_DET_LPD1M-1/COMP/FEM_MDL_COMP/femAsicGain/value"] = [0]
    return folder


def test_the_table_tells_what_the_run_does_not(tmp_path: Path) -> None:
    found = conditions_for(foreign_run(tmp_path), LPD)
    assert isinstance(found, LpdConditions)
    assert (found.memory_cells, found.feedback_capacitor_pf, found.memory_cell_order) == (
        64,
        50.0,
        "8,24,40,",
    )


def test_without_a_table_the_sentence_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RunUnreadable, match=r"give a file with a \[pipeline\] table"):
        conditions_for(foreign_run(tmp_path), None)
