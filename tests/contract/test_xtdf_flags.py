"""The simulator names the pipeline's flags by text, because neither imports the other: the names must exist."""

import re

import pytest

from pipeline.model import TrainFlag
from sim.kernel import FaultSpec
from sim.xtdf.kind import AGIPD


@pytest.mark.parametrize("fault", AGIPD.faults, ids=lambda fault: fault.name)
def test_flags_that_show_a_fault_exist(fault: FaultSpec) -> None:
    named = re.findall(r"[A-Z]+(?:_[A-Z]+)+|INCOMPLETE|TRUNCATED|DUPLICATES|REORDERED", fault.shown_by)
    assert named or "counter" in fault.shown_by
    for name in named:
        assert name in TrainFlag.__members__
