"""The order of a plan: which tasks may begin, what each of them comes after, and what could never run. Pure functions.

Tasks run one after another, in the order of the plan. One that runs *beside* others is not waited for: it begins in
its turn, as soon as the resources that it uses are free, and what follows goes on meanwhile. Who needs its result
says so (`after`); `"*"` means all tasks before. What always runs comes after all tasks before it, alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scheduler.plan import Task

ALL: Final = "*"


def ready(
    left: Sequence[Task], done: Collection[str], running: Collection[str], capacity: Mapping[str, int]
) -> Iterator[Task]:
    """The tasks that may begin now, in order, as if each of them did.

    left      tasks that have not ended, in the plan's order; those that run are among them
    capacity  how many there are of each resource

    A task that waits for resources keeps them from those behind it, so that none waits for ever.
    """
    free = Counter(capacity)
    for task in left:
        if task.id in running:
            free.subtract(task.uses)
    first = True
    for task in left:
        waits = (_waits_for_all(task) and not first) or any(
            name not in done for name in task.after if name != ALL
        )
        if task.id not in running and not waits:
            if all(free[name] >= number for name, number in task.uses.items()):
                yield task
            free.subtract(task.uses)
        if not task.beside:
            return
        first = False


def earlier(tasks: Sequence[Task], name: str) -> set[str]:
    """The tasks that have certainly ended when this one begins, whatever runs beside what."""
    place = next(number for number, task in enumerate(tasks) if task.id == name)
    everything, wanted = _waits_for_all(tasks[place]), set(tasks[place].after)
    found: set[str] = set()
    # Backwards, so that what a task waits for is known before it is met: once through, however many wait for others.
    for task in reversed(tasks[:place]):
        if everything or not task.beside or task.id in wanted:
            found.add(task.id)
            everything = everything or _waits_for_all(task)
            wanted.update(task.after)
    return found


def misplaced(
    tasks: Sequence[Task], resources: Mapping[str, int], past: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """The tasks that could never run, or not as they say: (task, sentence).

    past  tasks that are no more in question, because they have begun
    """
    seen = {*past, ALL}
    for task in tasks:
        for name in task.after:
            if name not in seen:
                yield task.id, f"comes after {name!r}, which is no task before it"
        seen.add(task.id)
        for name, number in task.uses.items():
            if name not in resources:
                there = ", ".join(resources) or "none"
                yield task.id, f"uses {name!r}; the plan's resources are: {there}"
            elif number > resources[name]:
                yield task.id, f"uses {number} of {name!r}, and there is {resources[name]}"
    yield from _in_the_way(tasks)


def _in_the_way(tasks: Sequence[Task]) -> Iterator[tuple[str, str]]:
    """Tasks that change what one beside them may still need."""
    beside: list[Task] = []
    for task in tasks:
        changed = [other for other in beside if _disturbs(task, other)]
        known = earlier(tasks, task.id) if changed else set()
        for other in changed:
            if other.id not in known:
                needs = ", ".join(f"{name} = {value}" for name, value in other.needs.items())
                yield (
                    task.id,
                    f"changes what {other.id} may still need beside it ({needs}); let it come after = [{other.id!r}]",
                )
        if task.beside and task.needs:
            beside.append(task)


def _disturbs(task: Task, other: Task) -> bool:
    return any(task.leaves.get(name, value) != value for name, value in other.needs.items())


def _waits_for_all(task: Task) -> bool:
    return task.always or ALL in task.after
