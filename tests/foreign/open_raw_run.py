"""Open a raw run with the public client and print what it sees, as JSON. Run by the public clients' environment."""

import json
import sys

from extra_data import RunDirectory
from extra_data.components import AGIPD1M

run = RunDirectory(sys.argv[1])
detector = AGIPD1M(run, raw=True, min_modules=1)
images = detector["image.data"].ndarray(fill_value=0)
cells = detector.get_array("image.cellId")
control = run["SPB_IRU_AGIPD1M1/MDL/FPGA_COMP"]
json.dump(
    {
        "trains": [int(t) for t in run.train_ids],
        "timestamps": [int(t) for t in run.train_timestamps().astype("int64")],
        "shape": list(images.shape),
        "dtype": str(images.dtype),
        "sum": int(images.sum(dtype="int64")),
        "corner": images[:, :, 0, 0, 0].tolist(),
        "cells": sorted({int(cell) for cell in cells.values.ravel()}),
        "repetition_rate": float(control["bunchStructure.repetitionRate"].ndarray()[0]),
        "cells_control": int(control["bunchStructure.nPulses"].ndarray()[0]),
        "voltage": float(run["SPB_IRU_AGIPD1M/PSC/HV"].run_value("channels.U0.voltage")),
        "metadata": {
            k: str(v) for k, v in run.run_metadata().items() if k in ("dataFormatVersion", "runNumber")
        },
    },
    sys.stdout,
)
