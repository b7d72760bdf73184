"""Connectivity, status checks between tasks, and leaving the detector quiet."""

from __future__ import annotations

from fat.errors import BenchError, FatError
from fat.instruments.http import JsonPeer
from fat.tasks.surroundings import TaskSurroundings
from scheduler import CheckResult, TaskContext, TaskResult, Verdict


def connectivity(context: TaskContext) -> TaskResult:
    """Ask every peer that the plan needs for its state. A peer that does not answer is an ERROR of the bench."""
    here = TaskSurroundings(context)
    answers: dict[str, str] = {}
    with here.detector() as detector, here.pipeline() as pipeline:
        answers["detector"] = str(detector.state()["state"])
        context.progress(1, 4, "detector")
        answers["pipeline"] = f"{len(pipeline.devices())} devices"
        context.progress(2, 4, "pipeline")
    with JsonPeer("the catalogue", here.address("caldb.rest")) as catalogue:
        answers["catalogue"] = str(catalogue.request("GET", "/api/me").get("name", "answers"))
        context.progress(3, 4, "catalogue")
    with JsonPeer("the control unit", here.address("dcu.api")) as unit:
        answers["control unit"] = str(unit.request("GET", "/detector/api/1.8.0/status/state")["value"])
        context.progress(4, 4, "control unit")
    for peer, answer in answers.items():
        context.note(f"{peer}: {answer}")
    return TaskResult(Verdict.PASS, {"answers": answers})


def status(context: TaskContext) -> TaskResult:
    """The detector is quiet and the pipeline's devices are well before anything is measured."""
    here = TaskSurroundings(context)
    with here.detector() as detector, here.pipeline() as pipeline:
        state = detector.state()
        devices = pipeline.devices()
    ill = sorted(name for name, device in devices.items() if device["state"] == "ERROR")
    if state["state"] != "PASSIVE":
        raise BenchError(f"the detector is {state['state']}; stop its trains before an acceptance test")
    if ill:
        raise BenchError(f"devices of the pipeline are in ERROR: {', '.join(ill)}; restart the pipeline")
    return TaskResult(
        Verdict.PASS,
        {
            "conditions": state["conditions"],
            "modules": here.parameters["modules"],
            "devices": {name: device["state"] for name, device in devices.items()},
        },
    )


def bench_alive(context: TaskContext) -> CheckResult:
    """Between tasks: every process of the bench is there and no device has reported a problem."""
    here = TaskSurroundings(context)
    try:
        with JsonPeer("the bench", here.address("control")) as control:
            found = control.request("GET", "/status")
    except FatError as error:
        return CheckResult(False, str(error))
    problems = [
        f"{name}: {problem['text']}"
        for name, device in found["devices"].items()
        for problem in device["problems"]
    ]
    if problems:
        # A simulator's problem (a late train, a client that broke its protocol) is worth a look, not a stop.
        return CheckResult(True, f"{len(problems)} problems reported, the last: {problems[-1]}")
    return CheckResult(True, f"{len(found['processes'])} processes up, no problems")


def pipeline_healthy(context: TaskContext) -> CheckResult:
    """Between tasks: no device of the pipeline is in ERROR."""
    here = TaskSurroundings(context)
    try:
        with here.pipeline() as pipeline:
            devices = pipeline.devices()
    except FatError as error:
        return CheckResult(False, str(error))
    ill = sorted(name for name, device in devices.items() if device["state"] == "ERROR")
    if ill:
        return CheckResult(
            False, f"in ERROR: {', '.join(ill)}; look into the pipeline's log, restart it, resume"
        )
    return CheckResult(True, f"{len(devices)} pipeline devices well")


def trains_off(context: TaskContext) -> TaskResult:
    """Leave the detector quiet, however the run ended."""
    here = TaskSurroundings(context)
    with here.detector() as detector:
        detector.stop()
        detector.configure(gain_mode="adaptive", illumination="dark")
    return TaskResult(Verdict.PASS)
