"""The remotes of a bench: addresses in its endpoints, faults through its control API, a correction's constants."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from fat.bench.client import ControlClient
from fat.testing.handles import Caldb, Faults
from pipeline.constants import AgipdConditions, Origin
from pipeline.constants.remotes import Patience, RemoteCatalogue, Remotes
from pipeline.errors import RemotesExhausted

CONDITIONS = AgipdConditions(memory_cells=1)
BEGIN = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
STATED_S = 3.0


def test_constants_go_through_the_remotes_of_a_bench(
    caldb: Caldb, faults: Faults, bench_control: ControlClient
) -> None:
    assert len(caldb.remotes) == 30
    remotes = Remotes(caldb.remotes, Patience(answer_timeout_s=20.0, deadline_s=60.0, first_pause_s=0.01))
    catalogue = RemoteCatalogue(remotes, caldb.store, "SPB_DET_AGIPD1M-1")
    data = np.ones((128, 512, 1, 3), np.float32)
    origin = Origin(begin_at=BEGIN, raw_data_location="")
    catalogue.inject(0, "Offset", data, CONDITIONS, origin)
    faults.on("caldb", "refuse_as_busy", times=3)
    found = catalogue.fetch(CONDITIONS, ["Offset"], [0], BEGIN)
    np.testing.assert_array_equal(found.get(0, "Offset"), data)
    assert faults.struck("caldb")["refuse_as_busy"] == 3
    assert [f.reason for f in remotes.failures] == ["Resource temporarily unavailable"] * 3

    hasty = Remotes(caldb.remotes, Patience(deadline_s=0.2))
    faults.on("caldb", "kill_remote", seconds=STATED_S)
    with pytest.raises(RemotesExhausted, match="Could not find constants Offset: "):
        RemoteCatalogue(hasty, caldb.store, "SPB_DET_AGIPD1M-1").fetch(CONDITIONS, ["Offset"], [0], BEGIN)
    hasty.close()
    assert faults.struck("caldb")["kill_remote"] == 30
    patient = Remotes(caldb.remotes, Patience(deadline_s=10 * STATED_S, longest_pause_s=0.2))
    back = RemoteCatalogue(patient, caldb.store, "SPB_DET_AGIPD1M-1")
    np.testing.assert_array_equal(back.fetch(CONDITIONS, ["Offset"], [0], BEGIN).get(0, "Offset"), data)
    patient.close()
    remotes.close()
    problems = bench_control.status()["devices"]["caldb"]["problems"]
    assert sum("comes back in 3 s" in problem["text"] for problem in problems) == 30
