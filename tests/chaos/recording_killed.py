"""Record trains for ever into the folder given, a line on stdout for each; the test kills this process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from pipeline.constants import AgipdConditions
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS, MAGIC_BEGIN, MAGIC_END
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

form = FORMATS["AGIPD"]
plan = RecordingPlan("SPB_DET_AGIPD1M-1", form, (0, 1), "SPB_IRU_AGIPD1M1", 1, 3, TrainClock(1, 10**18))
writer = RunWriter(Path(sys.argv[1]), plan, 5, "", AgipdConditions(2))
header = MAGIC_BEGIN + bytes(8)
for train_id in range(1, 10_000):
    tid = train_id.to_bytes(8, "little")
    parts = {
        module: ModuleTrain(
            module=module,
            train_id=train_id,
            data=np.full((2, *form.frame_shape), train_id, np.uint16),
            cell_id=np.arange(2, dtype=np.uint16),
            pulse_id=np.arange(2, dtype=np.uint64),
            status=np.zeros(2, np.uint16),
            length=np.full(2, form.frame_bytes, np.uint32),
            header=header + tid + bytes(16) + (2).to_bytes(8, "little") + bytes(16),
            detector=np.zeros(form.detector_bytes, np.uint8),
            trailer=bytes(24) + MAGIC_END,
        )
        for module in (0, 1)
    }
    writer.write(Gathered(train_id, 0.0, parts))
    sys.stdout.write(f"{train_id}\n")
    sys.stdout.flush()
