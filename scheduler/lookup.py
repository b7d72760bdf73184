"""Whether everything that a plan calls can be found, before anything of it is begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from scheduler.conversation import Conversation, Observer
from scheduler.ending import Ending, Limits
from scheduler.errors import PlanRejected
from scheduler.jobs import look_up
from scheduler.plan import Plan
from scheduler.switchboard import Switchboard

TIMEOUT_S: Final = 120.0


def demand_functions(
    plan: Plan, run_dir: Path, board: Switchboard, observer: Observer, heed: Callable[[], None]
) -> None:
    """Look every function up, in a child process: its modules are none of the engine's business.

    heed  takes up what people and signals want meanwhile, and may stop it

    Raises PlanRejected.
    """
    board.start(look_up(plan, run_dir), observer, Limits(TIMEOUT_S))
    ended: list[tuple[Conversation, Ending]] = []
    while not ended:
        heed()
        ended = board.turn()
    ending = ended[0][1]
    if ending.stopped:
        return
    if ending.result is None:
        raise PlanRejected(plan.name, f"its functions could not be looked up: {ending.error}")
    for task, reason in ending.result.items():
        raise PlanRejected(plan.name, reason, task)
