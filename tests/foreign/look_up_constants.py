"""Look constants up with the public analysis library and print what it finds, as JSON.

At the end module AGIPD00 is moved, so that times before and after see other places.

arguments: catalogue, client id or "", secret, store, raw run, calibration_metadata.yml, time before the second darks
"""

import json
import sys
from pathlib import Path

import numpy as np
from extra.calibration import AGIPDConditions, CalibrationData, DetectorData
from extra.calibration.calcat import get_client, set_default_caldb_root, setup_client
from extra_data import RunDirectory

url, client_id, secret, store, raw, metadata, early = sys.argv[1:]
setup_client(url, client_id or None, secret or None, "anna.berg@example.org")
set_default_caldb_root(Path(store))
NAME = "SPB_DET_AGIPD1M-1"
client = get_client()
run = RunDirectory(raw)
from_data = CalibrationData.from_data(run, NAME)
conditions = AGIPDConditions.from_data(run, NAME)
now = CalibrationData.from_condition(conditions, NAME)
dark = CalibrationData.from_condition(conditions, NAME, calibrations=["Offset", "Noise"], event_at=run)
before = CalibrationData.from_condition(conditions, NAME, event_at=early, begin_at_strategy="prior")
elsewhere = CalibrationData.from_condition(AGIPDConditions(200, 4, 1.1, 0, 0), NAME)
corrected = CalibrationData.from_correction(Path(metadata))
plain = CalibrationData.from_correction(Path(metadata), use_calcat=False)
offset = from_data["Offset"].xarray()
client.request("PUT", "physical_detector_units/1", json={"physical_detector_unit": {"karabo_da": "AGIPD20"}})
moved = CalibrationData.from_condition(conditions, NAME)
unmoved = CalibrationData.from_condition(conditions, NAME, pdu_snapshot_at=run)


def ids(data: CalibrationData) -> dict[str, dict[str, int]]:
    """The version found for each calibration and module."""
    return {name: {k: c.ccv_id for k, c in data[name].constants.items()} for name in sorted(data)}


def unknown() -> str:
    """What the library says of a detector that the catalogue does not know."""
    try:
        DetectorData.from_identifier("XYZ_DET_AGIPD1M-9")
    except KeyError as error:
        return str(error)
    return ""


json.dump(
    {
        "me": client.get("me"),
        "conditions": {
            name: getattr(conditions, name) for name in ("memory_cells", "gain_mode", "acquisition_rate")
        },
        "from_data": ids(from_data),
        "now": ids(now),
        "dark": ids(dark),
        "before": ids(before),
        "elsewhere": ids(elsewhere),
        "moved": ids(moved),
        "unmoved": ids(unmoved),
        "corrected": ids(corrected),
        "plain": ids(plain),
        "modules": [
            from_data.aggregator_names,
            from_data.pdu_names,
            from_data.qm_names,
            from_data.module_nums,
        ],
        "corrected_modules": [corrected.aggregator_names, corrected.pdu_names, corrected.module_nums],
        "dims": list(offset.dims),
        "shape": list(offset.shape),
        "mean": float(np.mean(offset.values, dtype=np.float64)),
        "begin": from_data["Offset", "AGIPD00"].metadata("begin_validity_at"),
        "detectors": DetectorData.list_by_instrument("SPB"),
        "unknown": unknown(),
        "pages": client.get_paged("calibrations", {"page_size": 5})[1],
        "table": from_data.markdown_table().count("\n"),
    },
    sys.stdout,
    default=lambda value: value.item(),
)
