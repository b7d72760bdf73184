"""What the devices under test are called, and where their dark constants lie between two tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fat.tasks.surroundings import TaskSurroundings

GAINS: Final = ("high", "medium", "low")


def modules(parameters: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Channel and name of each module, such as (3, "AGIPD03")."""
    for module in parameters["modules"]:
        yield int(module), f"{parameters['type']}{int(module):02d}"


def stages(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the gain stages; a DSSC has none, and its one set of pixels no name."""
    return ("",) if parameters["type"] == "DSSC" else GAINS


def darks_file(here: TaskSurroundings, module: int) -> Path:
    """Where the characterisation leaves the dark constants of a module."""
    return here.constants_folder / f"{here.parameters['type']}{module:02d}.h5"
