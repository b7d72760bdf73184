"""The first task of a run on a bench of one's own: interlocks, the laser's supply, and the files of the run."""

from __future__ import annotations

from pathlib import Path

from fat.degg.new_run import Answers, new_run
from fat.degg.station.module import Module
from fat.degg.station.station import Station
from fat.errors import BenchError
from fat.files import write_json_atomically
from scheduler import TaskContext, TaskResult, declares

COMMENT = "made by the plan of a bench"


@declares(leaves={"laser": "off", "hv": "off"}, lasts_s=60, timeout_s=900)
def prepare(context: TaskContext) -> TaskResult:
    """Do what `stellwerk fat setup` and `stellwerk fat configs` do, and ask nobody.

    Outputs: `modules`, ports that answer; `missing`, ports that do not. Done again it keeps the run's files.

    Raises BenchError when no module answers or a module has another FPGA version, UsageError without papers.
    """
    run_file = Path(str(context.parameters["run_file"]))
    with Station.whole(context) as station:
        close_interlocks(station)
        station.generator.off()
        station.supply.switch_on()
        told, failed = station.on_each(list(station.modules.values()), Module.slow_adc_text)
    for error in failed.values():
        context.notify(str(error), severity="warning")
    answers = {module.port: told.get(module, False) for module in (*told, *failed)}
    if not told:
        raise BenchError("no module answers; is the mains switch on?")
    if not run_file.exists():
        _make_run(context, run_file, {str(port): said for port, said in sorted(answers.items())})
    missing = sorted(module.port for module in failed)
    return TaskResult(outputs={"modules": sorted(module.port for module in told), "missing": missing})


def close_interlocks(station: Station) -> None:
    """Permit high voltage and light at all wire pairs where a module is connected."""
    for pair in station.wire_pairs.values():
        if len(pair.probe()) > 1:  # the hub is one
            pair.permit_hv()
            pair.permit_light()
            pair.permit_flash()


def _make_run(context: TaskContext, run_file: Path, ports: dict[str, object]) -> None:
    run_dir = run_file.parent.parent
    run_dir.mkdir(parents=True, exist_ok=True)
    open_ports = run_dir / "open_ports.json"
    write_json_atomically(open_ports, ports)
    endpoints = context.environment["endpoints"]
    papers = Path(str(endpoints["data"])) / "lab" / "modules.toml"
    nobody = Answers(ask_yes=lambda _: False, ask_text=lambda _: COMMENT, say=context.note)
    made = new_run(open_ports, endpoints, papers, run_dir, nobody)
    if made is None or made.path != run_file.absolute():
        raise BenchError(
            f"{run_file} was to be the run's file, but another run was made meanwhile; start anew"
        )
