"""Forms of the logbook, and what their fields take. Pure.

Every question with yes or no must be answered: none is taken as no.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from fat.errors import UsageError

Kind = Literal["yes/no", "text", "number", "whole", "time", "choice", "modules"]
MOST_CHARACTERS: Final = 20_000
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MODULE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,63}")
_YES, _NO = ("yes", "y", "true"), ("no", "n", "false")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form."""

    name: str
    label: str
    kind: Kind
    needed: bool = True
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        """What it takes, for people."""
        if self.kind in ("number", "whole") and math.isfinite(self.least):
            return (
                f"{self.least:g} … {self.most:g}" if math.isfinite(self.most) else f"{self.least:g} or more"
            )
        hints = {"yes/no": "yes or no", "time": "HH:MM", "modules": "serial numbers, with commas between"}
        return " or ".join(self.choices) or hints.get(self.kind, "")

    def read(self, given: Any) -> Any:
        """The value of what was typed. Raises ValueError with what it takes."""
        text = str(given).strip()
        if not text:
            if self.needed:
                raise ValueError("must be filled in" + (f": {self.hint}" if self.hint else ""))
            return ""
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"has more than {MOST_CHARACTERS} characters")
        return getattr(self, f"_{self.kind.replace('/', '_')}")(text)

    def _yes_no(self, text: str) -> bool:
        if text.lower() in _YES + _NO:
            return text.lower() in _YES
        raise ValueError(f"is yes or no, not {text!r}")

    def _text(self, text: str) -> str:
        return text

    def _number(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not self.least <= value <= self.most or not math.isfinite(value):
            raise ValueError(f"is a number, {self.hint}, not {text!r}")
        return value

    def _whole(self, text: str) -> int:
        value = self._number(text)
        if value != int(value):
            raise ValueError(f"is a whole number, not {text!r}")
        return int(value)

    def _time(self, text: str) -> str:
        if not _TIME.fullmatch(text):
            raise ValueError(f"is a time like 09:05, not {text!r}")
        return text

    def _choice(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError(f"is {self.hint}, not {text!r}")
        return text

    def _modules(self, text: str) -> list[str]:
        names = [name for name in re.split(r"[,\s]+", text) if name]
        wrong = next((name for name in names if not _MODULE.fullmatch(name)), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is no serial number of a module")
        return names


def _asked(*questions: tuple[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name, label, "yes/no") for name, label in questions)


_COMMENT: Final = Field("comment", "Comment", "text", needed=False)
FORMS: Final[Mapping[str, tuple[Field, ...]]] = {
    "start-run": (
        Field("run", "Run number", "whole", least=1, most=99_999),
        Field("modules", "D-Egg IDs", "modules"),
        *_asked(
            ("function_generator_on", "Function generator on?"),
            ("laser_supply_on", "Laser supply on?"),
            ("thermometers_on", "Thermometers on?"),
            ("humidity_sensors_on", "Humidity sensors on?"),
            ("filter_wheel_on", "Filter wheel on?"),
            ("ran_setup", "Ran setup?"),
            ("flashed_fpgas", "Flashed FPGAs?"),
            ("ran_configs", "Ran configs?"),
        ),
        _COMMENT,
    ),
    "start-shift": (_COMMENT,),
    "end-shift": (_COMMENT,),
    "check-list": (
        *_asked(
            ("daq_running", "DAQ running?"),
            ("slackbot_posting", "Slackbot posting?"),
            ("freezer_temperature_expected", "Freezer temperature as expected?"),
        ),
        _COMMENT,
    ),
    "freezer-access": (
        *_asked(("hv_disabled", "HV disabled?"), ("laser_off", "Laser off?")),
        Field("temperature_before", "Temperature before, °C", "number", least=-57, most=30),
        Field("temperature_after", "Temperature after, °C", "number", least=-57, most=30),
        Field("humidity_before", "Humidity before, %", "number", least=0, most=100),
        Field("humidity_after", "Humidity after, %", "number", least=0, most=100),
        Field("opened", "Opened at", "time"),
        Field("closed", "Closed at", "time"),
        Field("reason", "Reason", "text"),
    ),
    "post": (
        Field("modules", "Module id", "modules", needed=False),
        Field("about", "About", "choice", choices=("software", "hardware")),
        Field("text", "Text", "text"),
    ),
}


def form(name: str) -> tuple[Field, ...]:
    """The fields of a form. Raises UsageError with the forms that there are."""
    if name not in FORMS:
        raise UsageError(f"there is no form {name!r}; there are: {', '.join(FORMS)}")
    return FORMS[name]


def read_form(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a form. Raises UsageError with a sentence for each field that is wrong or missing."""
    values, wrong = filled_in(name, given)
    labels = {field.name: field.label for field in form(name)}
    mistakes = [*_unknown(name, given), *(f"{key} ({labels[key]}) {why}" for key, why in wrong.items())]
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return values


def filled_in(name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of a form's fields, and what is wrong with those that have none, both by name. Raises UsageError."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in form(name):
        try:
            values[field.name] = field.read(given.get(field.name, ""))
        except ValueError as error:
            wrong[field.name] = str(error)
    return values, wrong


def _unknown(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    fields = [field.name for field in form(name)]
    for key in given:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(fields)}"
            yield f"form {name} has no field {key!r}{hint}"
