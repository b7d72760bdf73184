"""Open a raw and a corrected run of any XTDF detector with the public clients and print what they see, as JSON.

arguments: raw folder, corrected folder, component (AGIPD1M, LPD1M, DSSC1M), parallel or plain, XGM name, camera name
"""

import json
import sys
import warnings

import extra_data.components
import extra_geom
import numpy as np
from extra_data import RunDirectory

warnings.simplefilter("ignore")  # the client warns that the old source names are legacy names
raw_folder, corrected_folder, name, mode, xgm, camera = sys.argv[1:]
component = getattr(extra_data.components, name)
options = {"parallel_gain": True} if mode == "parallel" else {}
raw_run, corrected_run = RunDirectory(raw_folder), RunDirectory(corrected_folder)
raw = component(raw_run, raw=True, min_modules=1, **options).get_array("image.data")
detector = component(corrected_run, raw=False, min_modules=1)
corrected = detector["image.data"].ndarray(fill_value=np.nan)
good = detector["image.mask"].ndarray() == 0
classes = {"AGIPD500K": "AGIPD_500K2GGeometry"}
geometry = getattr(extra_geom, classes.get(name, name.replace("1M", "_1MGeometry"))).example()
whole = np.full(geometry.expected_data_shape, np.nan, np.float32)
whole[: len(corrected)] = corrected[:, 0]
picture, _ = geometry.position_modules(whole)
json.dump(
    {
        "trains": [int(t) for t in raw_run.train_ids],
        "raw": [list(raw.dims), list(raw.shape), str(raw.dtype)],
        "corrected": [list(corrected.shape), str(corrected.dtype)],
        "mean": float(np.nanmean(corrected[good])),
        "legacy": sorted(corrected_run.legacy_sources),
        "timestamps": [str(t) for t in raw_run.train_timestamps()],
        "xgm": raw_run[xgm, "pulseEnergy.photonFlux.value"].ndarray().tolist(),
        "intensity": list(raw_run[f"{xgm}:output", "data.intensityTD"].shape),
        "camera": list(raw_run[f"{camera}:daqOutput", "data.image.pixels"].shape),
        "picture": [list(picture.shape), float(np.nanmean(picture))],
    },
    sys.stdout,
)
