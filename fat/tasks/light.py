"""The illuminated run: recorded raw, corrected online, written and served as it comes."""

from __future__ import annotations

import shutil

from fat.tasks.acquisition import send_trains
from fat.tasks.conditions import module_conditions, unix_time
from fat.tasks.surroundings import TaskSurroundings
from scheduler import TaskContext, TaskResult, Verdict


def record_and_correct(context: TaskContext) -> TaskResult:
    """Load the constants, record the run raw and corrected, and take the pipeline's own counters."""
    here = TaskSurroundings(context)
    # The catalogue has them: this task runs after the injection has been journalled.
    shutil.rmtree(here.constants_folder, ignore_errors=True)
    run, trains = int(context.arguments["run"]), int(here.parameters["light_trains"])
    with here.pipeline() as pipeline, here.detector() as detector:
        detector.configure(gain_mode="adaptive", illumination=here.parameters["illumination"])
        loaded = pipeline.call(
            "correction",
            "load_constants",
            event_at=unix_time(here, context.clock.now_ns()).isoformat(),
            conditions=module_conditions(here.parameters),
        )
        pipeline.call("appender", "start_file", run=run, replace=True)
        pipeline.call(
            "daq", "record", run=run, replace=True, run_type=f"light {here.parameters['illumination']}"
        )
        acquired = send_trains(context, detector, pipeline, trains, here.parameters["illumination"])
        pipeline.call("daq", "stop")
        written = pipeline.call("appender", "stop_file")
    return TaskResult(
        Verdict.PASS,
        {
            "run": run,
            "trains": trains,
            "trains_corrected": written["trains"],
            "first_train_id": acquired.span.first,
            "last_train_id": acquired.span.last,
            "started_ns": acquired.started_ns,
            "constants": loaded,
        },
    )
