"""`stellwerk pipe acquire`: take series from a DECTRIS control unit. Imports are inside: starting is fast."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipeline.dectris_commands.options import (
    EXIT_FAIL,
    EXIT_INTERRUPTED,
    Api,
    AsJson,
    Bench,
    BytesPerFrame,
    CountTime,
    Device,
    Format,
    FrameStackSize,
    FrameTime,
    Mode,
    NumSlots,
    Stream,
    Timeout,
    Workers,
    connected,
    interruptible,
    refuse,
)

if TYPE_CHECKING:
    from pipeline.dectris.acquisition import Acquisition
    from pipeline.dectris.connection import Connection, PendingAcquisition
    from pipeline.dectris.outcome import AcquisitionResult
    from pipeline.dectris.planned import Planned, Wanted
    from pipeline.dectris.preview import PreviewServer

WAIT_S: Final = 3600.0


def acquire(
    bench: Bench = None,
    device: Device = "dcu",
    api: Api = None,
    stream: Stream = None,
    stream_format: Format = None,
    passive: Annotated[
        bool, typer.Option("--passive", help="Take what somebody else arms and triggers; change nothing.")
    ] = False,
    mode: Mode = "ints",
    nav: Annotated[
        str | None,
        typer.Option("--nav", help="Shape of the scan, 128x128, or a number of images.", show_default=False),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Number of images, where there is no scan.", show_default=False)
    ] = None,
    count_time: CountTime = None,
    frame_time: FrameTime = None,
    series: Annotated[int, typer.Option(min=1, help="Series to take, one after another.")] = 1,
    with_sum: Annotated[bool, typer.Option("--sum/--no-sum", help="Sum of all images.")] = True,
    disk: Annotated[
        float | None,
        typer.Option(min=0, help="Virtual detector: a disk of this radius, pixels.", show_default=False),
    ] = None,
    ring: Annotated[
        str | None, typer.Option(help="Virtual detector: a ring, INNER:OUTER, pixels.", show_default=False)
    ] = None,
    com: Annotated[bool, typer.Option("--com", help="Centre of mass of each image.")] = False,
    centre: Annotated[
        str | None,
        typer.Option(help="Y,X of disk and ring; by default the image's middle.", show_default=False),
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask/--no-mask", help="Leave out the unit's masked pixels.")
    ] = True,
    flatfield: Annotated[
        str | None,
        typer.Option(help="Multiply images by a flat field: `unit`, or an HDF5 file.", show_default=False),
    ] = None,
    stack: Annotated[
        Path | None,
        typer.Option(help="Write the images to this HDF5 file; $id is the series.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the results to this HDF5 file; $id is the series.", show_default=False),
    ] = None,
    preview: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve live pictures at this port; 0 = any.", show_default=False),
    ] = None,
    partition: Annotated[
        int | None,
        typer.Option(min=1, help="Images from one live picture to the next.", show_default=False),
    ] = None,
    timeout: Timeout = 10.0,
    wait: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Passive: seconds to wait for a series; by default until Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    num_slots: NumSlots = None,
    bytes_per_frame: BytesPerFrame = None,
    frame_stack_size: FrameStackSize = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Take series from a DECTRIS control unit and reduce them while they come.

    Active: the detector is set, armed and, in ints and inte, triggered. Passive: somebody else does that.

    Examples:

      stellwerk pipe acquire configs/dcu.toml --frames 1000 --frame-time 0.001

      stellwerk pipe acquire --api http://10.0.0.1 --stream tcp://10.0.0.1:9999 --mode exte --nav 128x128 --disk 30
      --com --out 'scan-$id.h5' --preview 8090

      stellwerk pipe acquire configs/arina.toml --device arina --passive --nav 256x256 --ring 20:45 --series 3

    Exit codes: 0 all images came, 1 some did not, 2 wrong usage, 3 the unit refused or is silent, 75 Ctrl-C.
    """
    from pipeline.dectris.planned import Wanted, pair_of, shape_of
    from pipeline.dectris.resultfile import write_results
    from pipeline.errors import PipelineError, SettingRejected

    if not passive and nav is None and frames is None:
        refuse("give the number of images: --frames 1000, or --nav 128x128 for a scan", as_json)
    whole = True
    try:
        if nav is not None and frames is not None:
            raise SettingRejected("--frames", frames, "left out where --nav is given")
        job = _Job(
            mode=None if passive else mode,
            shape=shape_of(nav) if nav is not None else None if frames is None else (frames,),
            settings={"count_time": count_time, "frame_time": frame_time},
            series=series,
            wanted=Wanted(
                sum=with_sum,
                disk=disk,
                ring=None if ring is None else pair_of(ring, "--ring", ":"),
                com=com,
                centre=None if centre is None else pair_of(centre, "--centre", ","),
                stack=stack,
            ),
            mask=mask,
            flatfield=flatfield,
            partition=partition,
            timeout_s=timeout,
            wait_s=wait,
        )
        sizes = (num_slots, bytes_per_frame, frame_stack_size, workers)
        with (
            connected(bench, device, api, stream, stream_format, sizes) as connection,
            _preview(job, preview) as pages,
        ):
            for outcome, planned in _taken(connection, job, pages, shown=not as_json):
                files = [] if out is None else [write_results(out, planned.named(outcome.results), outcome)]
                _tell(outcome, planned, files, as_json)
                whole = whole and outcome.complete
                if outcome.report.stopped:
                    raise typer.Exit(EXIT_INTERRUPTED)
    except PipelineError as error:
        refuse(str(error), as_json, error.exit_code)
    except KeyboardInterrupt:
        refuse("interrupted before a series had started", as_json, EXIT_INTERRUPTED)
    if not whole:
        raise typer.Exit(EXIT_FAIL)


@dataclass(frozen=True, slots=True)
class _Job:
    """What was asked for."""

    mode: str | None
    """Trigger mode; None: passive."""
    shape: tuple[int, ...] | None
    """Of the scan; None: what a passive series has."""
    settings: dict[str, Any]
    series: int
    wanted: Wanted
    mask: bool
    flatfield: str | None
    partition: int | None
    timeout_s: float
    wait_s: float | None


def _taken(
    connection: Connection, job: _Job, pages: PreviewServer | None, *, shown: bool
) -> Iterator[tuple[AcquisitionResult, Planned]]:
    """Series after series. The bar is away while the caller prints."""
    from pipeline.dectris.showing import AcquisitionProgress

    for number in range(job.series):
        with AcquisitionProgress(shown=shown) as progress:
            progress.begin(
                "waiting for a series" if job.mode is None else f"series {number + 1} of {job.series}"
            )
            acquisition, planned = _prepared(connection, job)
            with interruptible(acquisition.abort):
                outcome = acquisition.run(
                    planned.reductions,
                    progress=progress.tell,
                    on_partition=None if pages is None else pages.show,
                )
        if pages is not None:
            pages.show_end(outcome)
        yield outcome, planned


def _prepared(connection: Connection, job: _Job) -> tuple[Acquisition, Planned]:
    from pipeline.dectris.planned import plan

    timing: dict[str, Any] = {"frames_per_partition": job.partition, "idle_timeout_s": job.timeout_s}
    corrections = _corrections(connection, job.mask, job.flatfield)
    if job.mode is not None:
        assert job.shape is not None  # the command looked
        planned = plan(job.wanted, _image_shape(connection), corrections)
        controller = connection.get_active_controller(job.mode, **job.settings)
        return connection.prepare(job.shape, controller=controller, **timing), planned
    pending = _pending(connection, job.wait_s)
    planned = plan(job.wanted, (pending.start.height, pending.start.width), corrections)
    return connection.prepare(job.shape or (pending.nimages,), pending=pending, **timing), planned


def _pending(connection: Connection, wait_s: float | None) -> PendingAcquisition:
    from pipeline.errors import NothingCame

    while True:
        pending = connection.wait_for_acquisition(WAIT_S if wait_s is None else wait_s)
        if pending is not None:
            return pending
        if wait_s is not None:
            raise NothingCame(connection.stream_url, wait_s)


@contextmanager
def _preview(job: _Job, port: int | None) -> Iterator[PreviewServer | None]:
    if port is None:
        yield None
        return
    from pipeline.dectris.preview import PreviewServer

    pages = PreviewServer(job.wanted.names(), port)
    typer.echo(f"live pictures: {pages.start()}/", err=True)
    try:
        yield pages
    finally:
        pages.stop()


def _image_shape(connection: Connection) -> tuple[int, int]:
    client = connection.client
    return int(client.get("y_pixels_in_detector")), int(client.get("x_pixels_in_detector"))


def _corrections(connection: Connection, mask: bool, flatfield: str | None) -> Any:
    from pipeline.dectris.corrections import Corrections, from_files, from_unit

    of_unit = from_unit(connection.client, mask=mask, flatfield=flatfield == "unit")
    if flatfield in (None, "unit"):
        return of_unit
    return Corrections(of_unit.excluded, from_files(flatfield=Path(str(flatfield))).flatfield)


def _tell(outcome: AcquisitionResult, planned: Planned, files: list[Path], as_json: bool) -> None:
    from dataclasses import asdict

    from pipeline.dectris.resultfile import counters
    from pipeline.dectris.showing import outcome_lines

    files += [
        path for reduction in planned.reductions if isinstance(path := getattr(reduction, "path", None), Path)
    ]
    if as_json:
        told = counters(outcome) | {
            "gaps": outcome.report.gaps,
            "dropped": outcome.dropped,
            "sentences": outcome.sentences(),
            "measured": asdict(outcome.report.measured),
            "files": [str(path) for path in files],
        }
        typer.echo(json.dumps(told))
        return
    for line in outcome_lines(outcome):
        typer.echo(line)
    for path in files:
        typer.echo(f"written: {path}")
