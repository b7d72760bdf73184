"""Dark runs: no light; the gain stage is forced where a detector has stages and does not show all of them at once."""

from __future__ import annotations

from fat.tasks.acquisition import send_trains
from fat.tasks.surroundings import TaskSurroundings
from scheduler import TaskContext, TaskResult, Verdict


def record_dark(context: TaskContext) -> TaskResult:
    """Record one dark run with the gain stage of the arguments, or with none forced."""
    here = TaskSurroundings(context)
    gain, run = context.arguments["gain"], int(context.arguments["run"])
    mode, text = ("adaptive", "dark") if gain is None else (f"fixed_{gain}", f"{gain} gain")
    trains = int(here.parameters["dark_trains"])
    with here.pipeline() as pipeline, here.detector() as detector:
        detector.configure(gain_mode=mode, illumination="dark")
        # An interrupted attempt may have left half a run: this one takes its place.
        pipeline.call(
            "daq", "record", run=run, replace=True, run_type="dark" if gain is None else f"dark {text}"
        )
        acquired = send_trains(context, detector, pipeline, trains, text)
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
