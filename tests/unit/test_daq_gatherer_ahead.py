"""A module whose train ids run ahead for a while costs its own parts, not the recording."""

from __future__ import annotations

import numpy as np

from pipeline.daq.recording import Gatherer
from pipeline.model import ModuleTrain


def part(train_id: int, module: int) -> ModuleTrain:
    nothing = np.zeros((1, 0), np.uint16)
    return ModuleTrain(
        module, train_id, nothing, np.zeros(1, np.uint16), np.zeros(1, np.uint64), np.zeros(1, np.uint16),
        np.zeros(1, np.uint32), b"", np.zeros(0, np.uint8), b"",
    )  # fmt: skip


def test_the_others_are_recorded() -> None:
    gatherer, out = Gatherer(3, 10**9, 6), []
    for train in range(1, 61):
        for module in (0, 1, 2):
            wrong = 10 <= train < 16 and module == 0
            ready, refused = gatherer.feed(part(train + 100 if wrong else train, module), train * 10**8)
            assert refused is None
            out += ready
    out += gatherer.flush()
    written = [gathered for gathered in out if gathered.parts]
    assert [gathered.train_id for gathered in written] == list(range(1, 61))
    assert gatherer.counters["modules_ahead"] == 6
    assert sum(len(gathered.left_out) for gathered in out) == 6
