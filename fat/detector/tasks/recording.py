"""Runs with set gain and light, recorded as they come."""

from __future__ import annotations

from typing import Final

from fat.detector.devices import modules
from fat.detector.judging import Taken, judged
from fat.detector.reading import count_of_frames
from fat.measurement import Measurement
from fat.tasks.acquisition import send_trains
from fat.tasks.surroundings import TaskSurroundings
from scheduler import TaskContext, TaskResult

RECORDED: Final = "frames_recorded"


def record(context: TaskContext) -> TaskResult:
    """Record the runs of the arguments' `steps`, one after another.

    Each step: `run`, `gain_mode`, `illumination`, `transmission`, `trains`. Repeating replaces what was recorded.
    """
    here = TaskSurroundings(context)
    steps = [dict(step) for step in context.arguments["steps"]]
    with here.pipeline() as pipeline, here.detector() as detector:
        frames = int(detector.state()["frames"])
        for number, step in enumerate(steps, start=1):
            detector.configure(
                gain_mode=step["gain_mode"],
                illumination=step["illumination"],
                transmission=step["transmission"],
            )
            text = f"{step['illumination']} {step['transmission']:g}, {step['gain_mode']}"
            pipeline.call("daq", "record", run=step["run"], replace=True, run_type=text)
            send_trains(context, detector, pipeline, step["trains"], f"{number} of {len(steps)}: {text}")
            pipeline.call("daq", "stop")
    sent = sum(step["trains"] for step in steps) * frames
    name = str(here.parameters["detector"])
    recorded = Measurement(RECORDED, "1", f"{context.title}, frames in the files over those sent")
    taken = []
    for module, device in modules(here.parameters):
        held = sum(count_of_frames(here.raw_folder(step["run"]), name, module) for step in steps)
        taken.append(Taken(device, recorded, held / sent))
    return judged(context, taken, {"steps": steps, "frames_sent": sent})
