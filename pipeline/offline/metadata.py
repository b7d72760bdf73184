"""`calibration_metadata.yml` beside corrected files: which constant versions were used.

Keys as public run metadata have them (EXtra, calibration, `from_correction`). JSON is YAML, too.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.constants import ConstantSet, ConstantVersion
from pipeline.errors import OutputUnwritable
from pipeline.offline.output import discard, finish, unfinished_name, writing

NAME = "calibration_metadata.yml"


def write_metadata(folder: Path, detector: str, steps: tuple[str, ...], constants: ConstantSet) -> Path:
    """Write the file; the same constants give the same content but for the time. Raises OutputUnwritable."""
    retrieved: dict[str, Any] = {}
    for version in constants.versions():
        entry = retrieved.setdefault(version.karabo_da, {"constants": {}, "physical-name": version.pdu})
        entry["constants"][version.calibration] = _described(version)
    content = {
        "calibration-configurations": {"karabo-id": detector, "steps": list(steps)},
        "retrieved-constants": retrieved,
        "runtime-summary": {"pipeline-steps": {"request-time": datetime.now(UTC).isoformat()}},
    }
    path = folder / NAME
    try:
        with writing(path):
            unfinished_name(path).write_text(json.dumps(content, indent=1), encoding="utf-8")
        finish(path)
    except OutputUnwritable:
        discard(path)
        raise
    return path


def _described(version: ConstantVersion) -> dict[str, Any]:
    return {
        "ccv_id": version.id,
        "creation-time": version.begin_at.isoformat(),
        "dataset": version.data_set,
        "path": str(version.file),
    }
