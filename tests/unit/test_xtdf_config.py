"""The table of an AGIPD device: what it accepts, derives and refuses."""

import pytest
from pydantic import ValidationError

from sim.xtdf.config import AgipdTable, pdu_name
from sim.xtdf.kind import AGIPD


def test_physical_names_follow_the_channel() -> None:
    assert [pdu_name("AGIPD", channel) for channel in (0, 7, 15)] == [
        "AGIPD_SIM_M100",
        "AGIPD_SIM_M107",
        "AGIPD_SIM_M115",
    ]


def test_modules_are_a_count_or_a_list() -> None:
    assert AgipdTable(modules=3).channels == (0, 1, 2)
    assert AgipdTable(modules=[15, 4]).channels == (4, 15)


@pytest.mark.parametrize(("step", "rate"), [(1, 4.5), (2, 2.2), (4, 1.1), (8, 0.5)])
def test_rate_follows_the_pulse_step(step: int, rate: float) -> None:
    table = AgipdTable.model_validate({"pulse_step": step, "first_pulse": 3, "memory_cells": 3})
    assert table.acquisition_rate_mhz == rate
    assert table.pulse_ids == (3, 3 + step, 3 + 2 * step)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"modules": 17}, "less than or equal to 16"),
        ({"modules": [1, 1]}, "twice"),
        ({"modules": []}, "at least 1"),
        ({"frames_per_train": 5}, "only 4 memory cells"),
        ({"memory_cells": 352, "pulse_step": 8}, "ends at 2699"),
        ({"checksum": "md5"}, "'none' or 'crc32'"),
        ({"memory_cels": 4}, "Extra inputs"),
        ({"memory_cells": "4"}, "valid integer"),
        ({"detector": "SPB DET"}, "match pattern"),
    ],
)
def test_what_cannot_be_is_refused(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        AgipdTable.model_validate(table)


def test_every_fault_has_a_module_and_says_what_shows_it() -> None:
    assert len(AGIPD.faults) == len({fault.name for fault in AGIPD.faults}) == 23
    for fault in AGIPD.faults:
        assert fault.parameters["module"] in (-1, 0)
        assert fault.about.endswith(".")
        assert fault.shown_by
