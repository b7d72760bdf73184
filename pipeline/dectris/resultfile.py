"""Results of an acquisition in an HDF5 file: sums, maps in the shape of the scan, and what is to be said about them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.dectris.outcome import AcquisitionResult
from pipeline.errors import OutputUnwritable


def write_results(path: Path, results: Mapping[str, Any], outcome: AcquisitionResult) -> Path:
    """Write *results* by their names; returns the path, `$id` replaced by the number of the series.

    Each result is a dataset of /results; /report tells the series, its counters, gaps and sentences. The file has its
    name once it is whole. Raises OutputUnwritable.
    """
    report = outcome.report
    target = path.with_name(path.name.replace("$id", str(report.series)))
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(part, "w") as file:
            group = file.create_group("results")
            for name, result in results.items():
                group.create_dataset(name, data=np.asarray(result))
            told = file.create_group("report")
            for key, value in counters(outcome).items():
                told.attrs[key] = value
            told.create_dataset("gaps", data=np.asarray(report.gaps, np.int64).reshape(-1, 2))
            told.create_dataset("sentences", data=list(outcome.sentences()), dtype=h5py.string_dtype())
            told.attrs["config"] = json.dumps(_plain(outcome.start.config))
        os.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputUnwritable(target, error.strerror or str(error)) from error
    return target


def counters(outcome: AcquisitionResult) -> dict[str, int | bool]:
    """The numbers of a report, by name."""
    report = outcome.report
    names = (
        "series",
        "expected",
        "frames",
        "missing",
        "corrupt",
        "truncated",
        "duplicates",
        "reordered",
        "broken",
        "stale",
        "wrong_series",
        "unexpected",
        "ended",
        "stopped",
    )
    return {name: getattr(report, name) for name in names} | {"complete": outcome.complete}


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a start message fits JSON: numbers, texts and lists."""
    return {
        key: value
        for key, value in config.items()
        if isinstance(value, (bool, int, float, str, list, type(None)))
    }
