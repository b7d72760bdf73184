"""Who is there before anything is measured, and leaving the detector quiet."""

from __future__ import annotations

from fat.errors import BenchError
from fat.instruments.http import JsonPeer
from fat.tasks.surroundings import TaskSurroundings
from scheduler import TaskContext, TaskResult, Verdict


def connectivity(context: TaskContext) -> TaskResult:
    """Ask the detector, the pipeline and the control unit, as many of them as the bench has, for their states.

    A peer that does not answer, or that is busy with somebody else's work, is an ERROR of the bench.
    """
    here = TaskSurroundings(context)
    answers: dict[str, str] = {}
    if here.parameters["modules"]:
        with here.detector() as detector, here.pipeline() as pipeline:
            state, devices = detector.state(), pipeline.devices()
        ill = sorted(name for name, device in devices.items() if device["state"] == "ERROR")
        if state["state"] != "PASSIVE":
            raise BenchError(f"the detector is {state['state']}; stop its trains before an acceptance test")
        if ill:
            raise BenchError(f"devices of the pipeline are in ERROR: {', '.join(ill)}; restart the pipeline")
        answers |= {"detector": str(state["state"]), "pipeline": f"{len(devices)} devices"}
    if here.parameters["dcu"]:
        name = str(here.parameters["dcu"]["device"])
        with JsonPeer("the control unit", here.address(f"{name}.api")) as unit:
            answers["control unit"] = str(unit.request("GET", "/detector/api/1.8.0/status/state")["value"])
    for peer, answer in answers.items():
        context.note(f"{peer}: {answer}")
    return TaskResult(Verdict.PASS, {"answers": answers})
