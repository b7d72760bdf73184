"""Operating conditions and moments, as the catalogue wants them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fat.instruments.http import JsonPeer
from fat.tasks.surroundings import TaskSurroundings
from pipeline.constants import Conditions, conditions_of


def module_conditions(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The operating conditions of the plan's detector, by the names of `pipeline.conditions`, as JSON."""
    return {"memory_cells": parameters["memory_cells"], **parameters["conditions"]}


def plan_conditions(parameters: Mapping[str, Any]) -> Conditions:
    """The same as a value."""
    return conditions_of(parameters["type"], module_conditions(parameters))


def unix_time(here: TaskSurroundings, t_ns: int) -> datetime:
    """The moment of a simulated time, whole microseconds, UTC."""
    with JsonPeer("the bench's clock", here.address("control")) as control:
        epoch_ns = int(control.request("GET", "/clock")["epoch_unix_ns"])
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=(epoch_ns + t_ns) // 1000)
