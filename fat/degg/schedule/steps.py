"""The steps of which the schedule is made: one function for each kind of task and its arguments."""

from __future__ import annotations

from fat.degg.schedule.section import Step


def status_check() -> Step:
    """Whether all modules answer, with the firmware that was recorded."""
    return Step("status_check", "housekeeping", {"verbose": False, "reboot": False}, backup=False)


def laser_off() -> Step:
    """Darkness, as far as the laser goes."""
    return Step("disable_laser", "housekeeping", backup=False)


def all_lights_off() -> Step:
    """Laser, LEDs and flashers off."""
    return Step("disable_all_lights", "housekeeping", backup=False)


def freezer(current: float, change: float) -> Step:
    """Another temperature: from *current* by *change*, both in C."""
    return Step("dummy_wrapper", "housekeeping", {"fcurrent": current, "fdelta": change}, backup=False)


def bootmon(mode: str) -> Step:
    """`reboot`: warm; `coldboot`: after hours without power."""
    return Step("bootmon", "housekeeping", {"mode": mode}, label=f"{{n}}_{mode}")


def ask(message: str) -> Step:
    """An operator decides."""
    return Step("manual_input", "scheduler.manual", {"message": message}, backup=False)


def remote(analysis: str) -> Step:
    """An analysis of what was measured last."""
    return Step(
        "trigger_remote_wrapper",
        "remote",
        {"analysis": analysis},
        label=f"{analysis}_{{n}}",
        counted=f"trigger_remote_wrapper_{analysis}",
    )


def online_mon(state: str, minutes: float = 0.0) -> Step:
    """Quick monitoring; *state* says what the freezer does, *minutes* how much of its move falls to this step."""
    return Step("online_mon", "monitoring", {"comment": state}, minutes=minutes)


def constant_monitor(state: str) -> Step:
    """Detailed monitoring at constant high voltage."""
    return Step("constant_monitor", "monitoring", {"comment": state})


def slowmon(state: str) -> Step:
    """Monitoring by a scan of the high voltage."""
    return Step("slowmon", "monitoring", {"comment": state})


def measurement(task: str, module: str, comment: str, **arguments: str | int | float | bool) -> Step:
    """A measurement with its comment."""
    return Step(task, module, {"comment": comment, **arguments})
