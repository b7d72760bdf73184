"""Everything that a catalogue has registered, good or not: what explanations are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pipeline.constants.conditions import Parameter
from pipeline.errors import CatalogueError

DETECTOR_UUID: Final = "detector uuid"
"""The parameter by which a condition belongs to one unit alone."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One version as it is registered, with all that may keep it from being chosen."""

    id: int
    calibration: str
    unit_id: int
    pdu: str
    uuid: float
    begin_at: datetime
    created_at: datetime
    end_validity_at: datetime | None
    deployed: bool
    good_quality: bool
    available: bool
    """Whether its constant may be used at all."""
    constant_id: int
    condition_id: int
    file: str


@dataclass(frozen=True, slots=True)
class StoredParameter:
    """One parameter of a stored condition."""

    name: str
    value: Parameter
    lower: float = 0.0
    upper: float = 0.0

    def allows(self, asked: Parameter) -> bool:
        """Whether a value fits: texts are equal, numbers within the deviations."""
        if isinstance(self.value, str) or isinstance(asked, str):
            return str(self.value) == str(asked)
        return self.value - self.lower <= asked <= self.value + self.upper

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return repr(self.value)
        if not self.lower and not self.upper:
            return f"{self.value:g}"
        return f"{self.value - self.lower:g} to {self.value + self.upper:g}"


def registered_of(answer: Mapping[str, Any], calibrations: Mapping[int, str]) -> Registered:
    """From the catalogue's JSON object; *calibrations* names the ids. Raises CatalogueError."""
    try:
        unit, constant, end = (
            answer["physical_detector_unit"],
            answer["calibration_constant"],
            answer.get("end_validity_at"),
        )
        return Registered(
            id=int(answer["id"]),
            calibration=calibrations[constant["calibration_id"]],
            unit_id=int(unit["id"]),
            pdu=str(unit["physical_name"]),
            uuid=float(unit.get("float_uuid") or 0.0),
            begin_at=datetime.fromisoformat(answer["begin_at"]),
            created_at=datetime.fromisoformat(answer["created_at"]),
            end_validity_at=datetime.fromisoformat(end) if end else None,
            deployed=bool(answer["flg_deployed"]),
            good_quality=bool(answer["flg_good_quality"]),
            available=bool(constant.get("flg_available", True)),
            constant_id=int(constant["id"]),
            condition_id=int(constant["condition_id"]),
            file=str(answer["file_name"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogueError(f"the catalogue answered with an incomplete version ({error!r})") from None


def parameters_of(answer: Mapping[str, Any]) -> tuple[StoredParameter, ...]:
    """The parameters of a condition from the catalogue's JSON object. Raises CatalogueError."""
    try:
        return tuple(_parameter(entry) for entry in answer["parameters_conditions"])
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogueError(f"the catalogue answered with an incomplete condition ({error!r})") from None


def _parameter(entry: Mapping[str, Any]) -> StoredParameter:
    text = entry.get("txt_value")
    value: Parameter = str(text) if text else float(entry["value"])
    lower, upper = (abs(float(entry.get(f"{side}_deviation_value") or 0.0)) for side in ("lower", "upper"))
    return StoredParameter(str(entry["parameter_name"]), value, lower, upper)


def differences(
    asked: Mapping[str, Parameter],
    stored: Sequence[StoredParameter],
    left_out: Mapping[str, Parameter],
    uuid: float | None = None,
) -> list[str]:
    """In which parameters a stored condition differs from a question; none: it fits.

    left_out  values with which a parameter is left out, by its name in lower case
    uuid      of the unit that it is asked for

    The sets of parameters must be the same; names are compared without case.
    """
    wanted = {name.casefold(): (name, value) for name, value in asked.items()}
    found: list[str] = []
    for parameter in stored:
        key = parameter.name.casefold()
        if key in wanted:
            _, value = wanted.pop(key)
            if not parameter.allows(value):
                found.append(f"{parameter.name} is {parameter}, asked {_spell(value)}")
        elif key == DETECTOR_UUID:
            if uuid is not None and parameter.value != uuid:
                found.append("it is for another unit (Detector UUID)")
        else:
            found.append(_not_asked(parameter, left_out.get(key)))
    for key, (name, value) in wanted.items():
        usual = f" and so holds for {_spell(left_out[key])}" if key in left_out else ""
        found.append(f"it has no {name}{usual}, asked {_spell(value)}")
    return found


def _not_asked(parameter: StoredParameter, usual: Parameter | None) -> str:
    if usual is not None and parameter.value == usual:
        return (
            f"it names {parameter.name} {parameter}, which is left out when it has this value: it was registered in "
            "another way than it is asked for"
        )
    implied = "" if usual is None else f", which means {_spell(usual)}"
    return f"{parameter.name} is {parameter}, asked without it{implied}"


def _spell(value: Parameter) -> str:
    return repr(value) if isinstance(value, str) else f"{value:g}"
