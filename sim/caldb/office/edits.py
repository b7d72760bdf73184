"""Changing a version: what a form may change, and how two people at the same row notice each other."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, update

from sim.caldb.fields import NotFound
from sim.caldb.office.audit import acting
from sim.caldb.store import change, row_by_id
from sim.caldb.tables import VERSIONS

EDITABLE: Final = ("flg_deployed", "flg_good_quality", "description")


class ChangedMeanwhile(Exception):
    """Somebody else changed the row after the form was shown."""


def state_of(row: Mapping[str, Any]) -> str:
    """A digest of all that a row holds. A form carries the one that it was made from."""
    values = [(column.name, row[column.name]) for column in VERSIONS.columns]
    return hashlib.sha256(repr(values).encode()).hexdigest()


def form_values(form: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a version that a form carries; an unchecked box is not sent."""
    return {
        "flg_deployed": "flg_deployed" in form,
        "flg_good_quality": "flg_good_quality" in form,
        # Browsers send line ends as CR LF.
        "description": form.get("description", "").replace("\r\n", "\n").replace("\0", ""),
    }


def save(
    db: Connection, version_id: int, values: Mapping[str, Any], seen: str, who: str, now_ms: int
) -> bool:
    """Change a version; whether anything is different now. Raises NotFound, Invalid, ChangedMeanwhile."""
    # Writing first takes the row's lock: nobody can change it between the comparison and the change.
    touched = update(VERSIONS).where(VERSIONS.c.id == version_id).values(id=VERSIONS.c.id)
    if db.execute(touched).rowcount == 0:
        raise NotFound
    before = row_by_id(db, VERSIONS, version_id)
    if not hmac.compare_digest(state_of(before), seen):
        raise ChangedMeanwhile
    values = {name: values[name] for name in EDITABLE}
    if all(
        values[name] == (before[name] or "" if name == "description" else before[name]) for name in values
    ):
        return False
    with acting(who, now_ms):
        change(db, VERSIONS, version_id, values, now_ms)
    return True
