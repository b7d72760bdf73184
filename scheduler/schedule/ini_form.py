"""Schedules in the ini form of older acceptance tests.

    [constants]
    run_file = /data/json/run/run_00012.json
    verbose = True

    [measure_gain_0]
    package = my_tasks.gain
    task = measure_gain
    run_backup = True
    comment = first scan

A section is a task, its name the title. `package` and either `task` or `fragment` say what to call; `run_backup` is yes
unless it says no; every other key is an argument, handed over by position in the order of the file. `true` and
`false`, in any case, become booleans; all else stays text until the function's annotations say otherwise. A `fragment`
is a function of (parameters, *arguments) that returns tasks.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scheduler.errors import ScheduleRejected
from scheduler.plan import Task
from scheduler.schedule.asking import ask
from scheduler.schedule.schedule import Draft, Schedule, read_text

CONSTANTS: Final = "constants"
TRUTHS: Final = {"true": True, "false": False}
_HEADER: Final = re.compile(r"\[(.+)\]\s*$")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def read_ini(path: Path) -> Schedule:
    """Read a schedule. Raises ScheduleRejected with a sentence for each mistake: file, line, section."""
    text = read_text(path)
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"))
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names of arguments keep their case
    try:
        parser.read_string(text, source=str(path))
    except configparser.Error as error:
        raise ScheduleRejected([f"{path}: {' '.join(error.message.split())}"]) from None
    lines = {found[1]: n for n, line in enumerate(text.splitlines(), 1) if (found := _HEADER.match(line))}
    draft = Draft(str(path))
    parameters: dict[str, Any] = {}
    if parser.has_section(CONSTANTS):
        parameters = _parameters(draft, f"{path}:{lines[CONSTANTS]}, [{CONSTANTS}]", dict(parser[CONSTANTS]))
    else:
        draft.refuse(str(path), "has no section [constants] with run_file and verbose")
    for section in parser.sections():
        if section != CONSTANTS:
            place = f"{path}:{lines[section]}, [{section}]"
            _read_section(draft, place, section, dict(parser[section]), parameters)
    return draft.finish(path.stem, parameters=parameters)


def _parameters(draft: Draft, place: str, given: dict[str, str]) -> dict[str, Any]:
    run_file, verbose = given.pop("run_file", ""), given.pop("verbose", "False")
    if not run_file.endswith(".json"):
        draft.refuse(place, f"run_file must end in .json, not {run_file!r}")
    elif not Path(run_file).is_file():
        draft.refuse(place, f"run_file {run_file} does not exist")
    if verbose.lower() not in TRUTHS:
        draft.refuse(place, f"verbose must be True or False, not {verbose!r}")
    for key in given:
        draft.refuse(place, f"unknown key {key!r}; there are run_file and verbose")
    return {"run_file": run_file, "verbose": TRUTHS.get(verbose.lower(), False)}


def _read_section(
    draft: Draft, place: str, section: str, given: dict[str, str], parameters: Mapping[str, Any]
) -> None:
    package, task, fragment = (given.pop(key, "") for key in ("package", "task", "fragment"))
    backup = given.pop("run_backup", "True").lower()
    if not package or bool(task) == bool(fragment):
        draft.refuse(place, "needs package, and exactly one of task and fragment")
        return
    if backup not in TRUTHS:
        draft.refuse(place, f"run_backup must be True or False, not {backup!r}")
        return
    values = [TRUTHS.get(value.lower(), value) for value in given.values()]
    if fragment:
        _add_fragment(draft, place, f"{package}:{fragment}", values, parameters)
        return
    name = _UNFIT.sub("_", section).strip("_.-")[:64]
    call = f"{package}:{task}"
    draft.add(place, Task(name, section, call, positional=tuple(values), backup=TRUTHS[backup]))


def _add_fragment(
    draft: Draft, place: str, call: str, values: list[Any], parameters: Mapping[str, Any]
) -> None:
    try:
        tasks = ask({"fragment": call, "parameters": dict(parameters), "positional": values})
    except ScheduleRejected as error:
        draft.refuse(place, str(error))
        return
    for body in tasks:
        draft.add(place, Task.from_json(draft.source, body))
