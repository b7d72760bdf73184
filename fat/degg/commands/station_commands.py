"""Commands at the laboratory, for the command line: setup, simple-check, check-laser-freq."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

EndpointsOption = Annotated[
    Path | None,
    typer.Option(
        "--endpoints",
        metavar="PATH",
        help="Addresses, as `stellwerk up` writes them. Default: the newest runs/*/endpoints.json with modules.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs; nobody is asked.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes, for scripts.")]
NO_SHORT_HELP: Final = {"help_option_names": ["--help"]}
"""-h asks for the humidity sensors."""


def register(app: typer.Typer) -> None:
    """Offer the commands."""
    app.command()(setup)
    app.command("simple-check", context_settings=NO_SHORT_HELP)(simple_check)
    app.command("check-laser-freq")(check_laser_freq)


def setup(
    usb: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[USB]...",
            help="USB devices of the field hubs, one for each group of four; domnet is started for each.",
            show_default=False,
        ),
    ] = None,
    endpoints: EndpointsOption = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Domnet's configuration.")] = None,
    domnet: Annotated[str, typer.Option(help="The program that is started for each USB device.")] = "domnet",
    tabletop: Annotated[
        str | None, typer.Option(metavar="USB", help="USB device of the tabletop mainboard's hub.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where open_ports.json goes. Default: beside the addresses.", show_default=False),
    ] = None,
    flash_interlock: Annotated[
        bool | None, typer.Option("--flash-interlock/--no-flash-interlock", help="Self-tests need it.")
    ] = None,
    flash: Annotated[
        bool | None, typer.Option("--flash/--no-flash", help="Configure the FPGAs from flash.")
    ] = None,
    parallel: Annotated[
        bool | None, typer.Option("--parallel/--one-by-one", help="Flash at all wire pairs at a time.")
    ] = None,
    reboot: Annotated[
        bool, typer.Option("--reboot/--no-reboot", help="Start the ICMs' images anew; boards lose power.")
    ] = True,
    yes: YesOption = False,
    json_output: JsonOption = False,
) -> None:
    """Bring the optical modules up: ICMs, interlocks, FPGAs; then test each port and write open_ports.json.

    Without USB devices the modules are at the addresses of a laboratory that is up. With them one domnet runs for
    each, until Ctrl-C. Exit code 0: all are ready; 1: some are not; 2: nothing was begun.

    Examples:

      stellwerk fat setup --endpoints runs/lab/endpoints.json

      stellwerk fat setup --endpoints runs/lab/endpoints.json --yes --no-flash-interlock --json

      stellwerk fat setup /dev/ttyUSB0 /dev/ttyUSB1 -c domnet.ini

      stellwerk fat setup USB0 --domnet "stellwerk sim domnet --bench configs/lab.toml"
    """
    from fat.degg.commands import setup_flow
    from fat.degg.commands.setup import Choices

    wanted = setup_flow.Wanted(
        usb=tuple(usb or ()),
        tabletop=tabletop,
        endpoints=endpoints,
        config=config,
        domnet=domnet,
        out=out,
        choices=Choices(flash_interlock, flash, parallel, reboot),
        yes=yes,
        json_output=json_output,
    )
    raise typer.Exit(setup_flow.run(wanted))


def simple_check(
    filter_wheels: Annotated[
        bool, typer.Option("-fw", "--filter-wheels", help="Both filter wheels.")
    ] = False,
    humidity: Annotated[bool, typer.Option("-h", "--humidity", help="Both humidity sensors.")] = False,
    function_generator: Annotated[
        bool, typer.Option("-fg", "--function-generator", help="Start, 2 s, stop.")
    ] = False,
    thermometer: Annotated[bool, typer.Option("-t", "--thermometer", help="All four channels.")] = False,
    check_all: Annotated[
        bool, typer.Option("--check-all", "--check_all", help="All of them, as without any option.")
    ] = False,
    endpoints: EndpointsOption = None,
    json_output: JsonOption = False,
) -> None:
    """Check the instruments around the modules. Exit code 1 when one of them is not well.

    Examples:

      stellwerk fat simple-check

      stellwerk fat simple-check -fw -t --endpoints runs/lab/endpoints.json
    """
    from fat.degg.commands import checks
    from fat.degg.commands.place import endpoints_path, laboratory
    from fat.degg.commands.telling import Teller
    from fat.degg.station.endpoints import read_endpoints

    asked = {"-fw": filter_wheels, "-h": humidity, "-fg": function_generator, "-t": thermometer}
    options = [] if check_all else [option for option, on in asked.items() if on]
    teller = Teller(quiet=json_output)
    with laboratory(read_endpoints(endpoints_path(endpoints))) as station:
        teller.heading("Instruments")
        rows = checks.simple_check(station, teller, options)
    teller.rows(rows)
    teller.say()
    teller.say(checks.REMINDER)
    ok = all(row.ok is not False for row in rows)
    teller.result({"ok": ok, "instruments": {row.what: {"ok": row.ok, "found": row.found} for row in rows}})
    raise typer.Exit(0 if ok else 1)


def check_laser_freq(
    freq: Annotated[float, typer.Argument(metavar="FREQ", help="Hz: 100, 500 or 1000 in a run.")],
    as_it_is: Annotated[
        bool, typer.Option("--as-it-is", help="Leave the generator alone: it pulses already.")
    ] = False,
    endpoints: EndpointsOption = None,
    json_output: JsonOption = False,
) -> None:
    """See that the laser fires at its rate: 1000 sync events on the tabletop mainboard, tried twice at most.

    The generator is set to the rate for it, and is off afterwards. Exit code 1 when the rate is not right.

    Examples:

      stellwerk fat check-laser-freq 100

      stellwerk fat check-laser-freq 500 --endpoints runs/lab/endpoints.json --json
    """
    from fat.degg.commands import checks
    from fat.degg.commands.place import endpoints_path, laboratory
    from fat.degg.commands.telling import Row, Teller
    from fat.degg.station.endpoints import read_endpoints

    teller = Teller(quiet=json_output)
    low, high = checks.window_s(freq)
    with laboratory(read_endpoints(endpoints_path(endpoints))) as station:
        teller.heading(
            f"Laser at {freq:g} Hz: {checks.ENOUGH} gaps between {low * 1e3:g} and {high * 1e3:g} ms"
        )
        found = checks.check_laser_rate(station, teller, freq, as_it_is=as_it_is)
    rows = [Row(rate.ok, f"try {number + 1}", checks.told(rate, freq)) for number, rate in enumerate(found)]
    teller.rows(rows)
    tries = [
        {"events": rate.events, "inside": rate.inside, "ok": rate.ok, "hertz": checks.hertz_of(rate)}
        for rate in found
    ]
    teller.result({"ok": found[-1].ok, "frequency_hz": freq, "window_s": [low, high], "tries": tries})
    raise typer.Exit(0 if found[-1].ok else 1)
