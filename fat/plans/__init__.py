"""Acceptance plans: which tasks, in which order, with which limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fat.bench.file import BenchFile
from fat.plans import demo
from scheduler import Plan

PLANS: Final[Mapping[str, Callable[[BenchFile], Plan]]] = {"demo": demo.build}
"""From the name in `[fat] plan` to the function that builds the plan from the bench file."""
