"""A module whose train ids run ahead for a while costs its own parts, not the recording."""

from __future__ import annotations

import numpy as np

from pipeline.daq.gatherer import Gatherer
from pipeline.gathering import Gathered, Refused
from pipeline.model import ModuleTrain


def part(train_id: int, module: int) -> ModuleTrain:
    nothing = np.zeros((1, 0), np.uint16)
    return ModuleTrain(
        module, train_id, nothing, np.zeros(1, np.uint16), np.zeros(1, np.uint64), np.zeros(1, np.uint16),
        np.zeros(1, np.uint32), b"", np.zeros(0, np.uint8), b"",
    )  # fmt: skip


def test_the_others_are_recorded() -> None:
    gatherer, out = Gatherer(3, 1.0, 6), []
    for train in range(1, 61):
        for module in (0, 1, 2):
            wrong = 10 <= train < 16 and module == 0
            out += gatherer.feed(part(train + 100 if wrong else train, module), train / 10)
    out += gatherer.flush()
    assert [item.train_id for item in out if isinstance(item, Gathered)] == list(range(1, 61))
    assert gatherer.counters["modules_ahead"] == 6
    assert sum(isinstance(item, Refused) for item in out) == 6
