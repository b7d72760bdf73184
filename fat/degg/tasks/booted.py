"""Analysis of boots: `reboot_monitoring`, all power cycles of a run so far."""

from __future__ import annotations

import numpy as np

from fat.degg.records.numbering import keys_of
from fat.degg.records.run_file import RunFile
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.tasks.boots import COLD, SUCCESSIVE, WARM
from fat.degg.tasks.recorded import settled
from scheduler import TaskContext, TaskResult


def analyse_boots(context: TaskContext) -> TaskResult:
    """How often each module did not come back at once: warm and cold power cycles of the whole run."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    for device in RunFile.open(context.parameters["run_file"]).devices():
        if device.ignored:
            continue
        body = settled(context, device.body())
        warm = [body[key] for key in keys_of(body, WARM) if SUCCESSIVE in body[key]]
        cold = [body[key] for key in keys_of(body, COLD) if SUCCESSIVE in body[key]]
        serial = device.serial
        if warm:
            about = "warm power cycles in a row after which the module did not come back, the most in the run"
            name = "successive-warm-reboot-failures"
            most = max(int(entry[SUCCESSIVE]) for entry in warm)
            quantities.append(Quantity(serial, "", "monitoring", name, most, "1", about, None, (name,)))
            graphs.append(_graph(serial, [int(entry["Failures"]) for entry in warm]))
        if cold:
            about = (
                "tries after the first that the module needed after hours without power, the most in the run"
            )
            most = max(int(entry["Failures"]) for entry in cold)
            post = ("communication-test-cold-reboot",)
            quantities.append(
                Quantity(serial, "", "monitoring", "cold-boot-failures", most, "1", about, None, post)
            )
    return conclude(context, quantities, graphs=graphs)


def _graph(serial: str, failures: list[int]) -> Graph:
    return Graph(
        serial,
        "",
        "monitoring",
        "warm-reboots",
        "Warm power cycles",
        "power cycle",
        "tries after the first",
        np.arange(1, len(failures) + 1),
        np.asarray(failures),
        text=f"{len(failures)} cycles, {sum(bool(count) for count in failures)} with a second try",
    )
