"""The simulator names the pipeline's flags by text, because neither imports the other: the names must exist."""

import re

import pytest

from pipeline.model import TrainFlag
from sim.kernel import FaultSpec
from sim.xtdf.image_faults import NAMES as IMAGE_FAULTS
from sim.xtdf.kind import AGIPD


@pytest.mark.parametrize("fault", AGIPD.faults, ids=lambda fault: fault.name)
def test_flags_that_show_a_fault_exist(fault: FaultSpec) -> None:
    named = re.findall(r"[A-Z]+(?:_[A-Z]+)+|INCOMPLETE|TRUNCATED|DUPLICATES|REORDERED", fault.shown_by)
    # What is wrong with pixels alone has no flag: acceptance tests measure it (test_detector_acceptance.py).
    assert named or "counter" in fault.shown_by or fault.name in IMAGE_FAULTS
    for name in named:
        assert name in TrainFlag.__members__
