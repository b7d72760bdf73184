"""Looking through a catalogue with few questions: all versions of some units, and the conditions they stand under."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pipeline.constants.registered import Registered, StoredParameter, parameters_of, registered_of
from pipeline.constants.rest import Asking

PAGE: Final = 500
"""The most that the catalogue gives at once."""
MOST_PAGES: Final = 10
"""The newest registrations are looked through; what is older and chosen is asked for by itself."""
MOST_CONDITIONS: Final = 100
MOST_CONSTANTS: Final = 100


@dataclass(slots=True)
class Survey:
    """What was found, and how much of the catalogue was looked at."""

    versions: dict[int, Registered] = field(default_factory=dict)
    conditions: dict[int, tuple[StoredParameter, ...]] = field(default_factory=dict)
    """Those that may be used, by id."""
    requests: int = 0
    seen: int = 0
    total: int = 0
    """Versions that the catalogue holds."""


def survey(
    rest: Asking,
    units: Collection[int],
    calibrations: Mapping[int, str],
    chosen: Mapping[tuple[int, int], datetime],
) -> Survey:
    """Versions of these units and calibrations.

    units         their ids
    calibrations  names by id
    chosen        constants of which all usable versions are wanted where the list is too long: (constant id, unit id)
                  and the event
    Raises CatalogueError.
    """
    result = Survey()
    _newest(rest, units, calibrations, result)
    if result.seen < result.total:
        _of_constants(rest, calibrations, chosen, result)
    wanted = {version.condition_id for version in result.versions.values()}
    for condition_id in sorted(wanted, reverse=True)[:MOST_CONDITIONS]:
        answer = rest.get(f"conditions/{condition_id}")
        result.requests += 1
        if answer.get("flg_available", True):
            result.conditions[condition_id] = parameters_of(answer)
    return result


def _newest(rest: Asking, units: Collection[int], calibrations: Mapping[int, str], result: Survey) -> None:
    """The last pages of the list, in which what is registered last stands."""
    path = "calibration_constant_versions"
    first = rest.page(path, 1, PAGE)
    result.requests, result.total = 1, first.total
    pages = {1: first}
    for number in range(max(2, first.pages - MOST_PAGES + 1), first.pages + 1):
        pages[number] = rest.page(path, number, PAGE)
        result.requests += 1
    for page in pages.values():
        result.seen += len(page.entries)
        for entry in page.entries:
            ours = (
                entry["physical_detector_unit"]["id"] in units
                and entry["calibration_constant"]["calibration_id"] in calibrations
            )
            if ours:
                version = registered_of(entry, calibrations)
                result.versions[version.id] = version


def _of_constants(
    rest: Asking, calibrations: Mapping[int, str], chosen: Mapping[tuple[int, int], datetime], result: Survey
) -> None:
    for (constant_id, unit_id), event_at in list(chosen.items())[:MOST_CONSTANTS]:
        answers = rest.find(
            f"calibration_constants/{constant_id}/get_all_versions",
            calibration_constant_ids=[constant_id],
            physical_detector_unit_id=unit_id,
            event_at=event_at.astimezone(UTC).isoformat(),
            snapshot_at="",
        )
        result.requests += 1
        for answer in answers or ():
            version = registered_of(answer, calibrations)
            result.versions.setdefault(version.id, version)
