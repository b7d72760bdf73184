"""The papers of the modules: who a module is, by the identity number of its ICM.

A TOML or JSON file with a list `module`; each entry has `ICMID`, `DEggSerialNumber`, and any keys of a device file:

    [[module]]
    ICMID = "a400000f18a1722d"
    DEggSerialNumber = "DEgg2021-3-133"
    BoxNumber = "R-B-1"
    LowerPmt = { SerialNumber = "SQ0656" }
    UpperPmt = { SerialNumber = "SQ0657" }
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import DEFAULT_VOLTAGE, PARTS, UNKNOWN_VOLTAGE
from fat.degg.records.run_file import SERIAL, is_bookkeeping
from fat.errors import UsageError

ICM_ID: Final = re.compile(r"[0-9a-f]{16}")
PLATE: Final = (
    "UpperGlassSerialNumber",
    "LowerGlassSerialNumber",
    "UpperGlass",
    "LowerGlass",
    "PenetratorType",
    "PenetratorNumber",
    "SealingDate",
    "ArrivalDate",
    "flashID",
    "BoxNumber",
    "FlasherID",
    "FlasherNumber",
    "MainboardNumber",
    "ElectricalInspectionNME",
    "CameraNumber",
)
"""What a device file says of a module beside its photomultipliers; empty where the papers are silent."""
CONSTANTS: Final = {"Samples": 128, "AdcMin": 7600, "AdcRange": 9000, "Events": 10000, "DacValue": 30000}


def read_catalogue(path: Path) -> dict[str, dict[str, Any]]:
    """The modules by ICM id, lower case. Raises UsageError with file, entry and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        body = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the papers of the modules cannot be read: {error}") from None
    entries = body.get("module") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"{path}: the papers of the modules are a list [[module]]")
    found: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries, 1):
        key = _demand(path, number, entry)
        if key in found:
            raise UsageError(f"{path}: entry {number}: ICMID {key} is there twice")
        found[key] = entry
    return found


def device_body(entry: Mapping[str, Any], **found: Any) -> dict[str, Any]:
    """The content of a new device file: what the papers say, and what was *found* out by asking the module."""
    told = {key: entry[key] for key in entry if key not in PARTS and key != "ICMID"}
    return {
        "DEggSerialNumber": entry["DEggSerialNumber"],
        **dict.fromkeys(PLATE, ""),
        **told,
        **{part: _pmt(entry[part]) for part in reversed(PARTS)},
        "Constants": dict(CONSTANTS),
        **found,
    }


def _pmt(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "HVB": "",
        "HV1e7Gain": UNKNOWN_VOLTAGE,
        "HV1e7GainDefault": DEFAULT_VOLTAGE,
        "BaselineFilename": "",
        "SPEPeakHeight": -1,
        **told,
    }


def _demand(path: Path, number: int, entry: Any) -> str:
    place = f"{path}: entry {number}"
    if not isinstance(entry, dict):
        raise UsageError(f"{place} is no table")
    key, serial = str(entry.get("ICMID", "")).lower(), str(entry.get("DEggSerialNumber", ""))
    if not ICM_ID.fullmatch(key):
        raise UsageError(f"{place}: ICMID must be 16 hexadecimal digits, not {entry.get('ICMID')!r}")
    if not SERIAL.fullmatch(serial) or is_bookkeeping(serial):
        raise UsageError(f"{place}: {serial!r} cannot be a DEggSerialNumber")
    for part in PARTS:
        if not isinstance(entry.get(part), dict) or not entry[part].get("SerialNumber"):
            raise UsageError(f"{place}: {part} needs a SerialNumber")
    return key
