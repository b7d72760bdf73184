"""Sections of an ini schedule: what stands in one, and how titles are numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

ROOM: Final = "fat.degg.tasks"


@dataclass(frozen=True, slots=True)
class Step:
    """One task of the schedule, before it has a title."""

    task: str
    """The function's name."""
    module: str
    """Its module below `fat.degg.tasks`, or a whole one where it has a dot."""
    arguments: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """By name, in the order of the function's parameters: the ini form hands them over by position."""
    label: str = "{n}"
    """What follows the function's name in the title; `{n}` counts the function (or what *counted* names)."""
    counted: str = ""
    """Titles of one counter; by default the function's name."""
    backup: bool = True
    minutes: float = 0.0
    """Of the freezer's move that fall to this step when the move takes as long as published. Measurements take that
    time by themselves; with fewer events it must be waited for."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the file."""

    title: str
    step: Step

    @property
    def package(self) -> str:
        """The module to import."""
        module = self.step.module
        return module if "." in module else f"{ROOM}.{module}"

    def lines(self) -> Iterator[str]:
        """The section as the file has it."""
        yield f"[{self.title}]"
        yield f"package = {self.package}"
        yield f"task = {self.step.task}"
        if not self.step.backup:
            yield "run_backup = False"
        yield from (f"{name} = {value}" for name, value in self.step.arguments.items())
        yield ""


def titled(steps: Iterable[Step]) -> tuple[Section, ...]:
    """Steps with their titles: `measure_gain_0`, `bootmon_3_reboot`, `trigger_remote_wrapper_gain_1`."""
    counts: Counter[str] = Counter()
    sections = []
    for step in steps:
        counter = step.counted or step.task
        number = counts[counter]
        counts[counter] += 1
        sections.append(Section(f"{step.task}_{step.label.format(n=number)}", step))
    return tuple(sections)
