"""Dark runs: no light, the gain stage forced."""

from __future__ import annotations

from fat.tasks.acquisition import send_trains
from fat.tasks.surroundings import TaskSurroundings
from scheduler import TaskContext, TaskResult, Verdict


def record_dark(context: TaskContext) -> TaskResult:
    """Record one dark run with the gain stage of the arguments."""
    here = TaskSurroundings(context)
    gain, run = str(context.arguments["gain"]), int(context.arguments["run"])
    trains = int(here.parameters["dark_trains"])
    with here.pipeline() as pipeline, here.detector() as detector:
        detector.configure(gain_mode=f"fixed_{gain}", illumination="dark")
        # An interrupted attempt may have left half a run: this one takes its place.
        pipeline.call("daq", "record", run=run, replace=True, run_type=f"dark {gain} gain")
        acquired = send_trains(context, detector, pipeline, trains, f"{gain} gain")
        pipeline.call("daq", "stop")
    return TaskResult(
        Verdict.PASS,
        {
            "run": run,
            "trains": trains,
            "first_train_id": acquired.span.first,
            "last_train_id": acquired.span.last,
            "started_ns": acquired.started_ns,
        },
    )
