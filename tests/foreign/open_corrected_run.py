"""Open a corrected run with the public client and print what it sees, as JSON."""

import json
import sys
import warnings

import numpy as np
from extra_data import RunDirectory
from extra_data.components import AGIPD1M

warnings.simplefilter("ignore")  # the client warns that the old source names are legacy names
run = RunDirectory(sys.argv[1])
detector = AGIPD1M(run, raw=False, min_modules=1)
images = detector["image.data"].ndarray(fill_value=np.nan)
masks = detector["image.mask"].ndarray()
gains = detector["image.gain"].ndarray()
json.dump(
    {
        "trains": [int(t) for t in run.train_ids],
        "shape": list(images.shape),
        "dtypes": [str(images.dtype), str(masks.dtype), str(gains.dtype)],
        "sum_of_good": float(np.nansum(np.where(masks == 0, images, 0), dtype=np.float64)),
        "sources": sorted(run.instrument_sources),
        "legacy": sorted(run.legacy_sources),
    },
    sys.stdout,
)
