"""The root command: its own sub-commands, and those that the packages offer as entry points, loaded when asked for."""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from fat.cli import bench_commands
from fat.output import let_go_of_output
from fat.soak.command import soak

if TYPE_CHECKING:
    from typer._click.core import Context

EXIT_BUG: Final = 4


class LazyGroup(TyperGroup):
    """A group whose further commands are entry points `stellwerk.commands`; each is imported when it is named."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Own commands first, then those of the packages."""
        offered = sorted(point.name for point in entry_points(group="stellwerk.commands"))
        return [*super().list_commands(ctx), *offered]

    def get_command(self, ctx: Context, cmd_name: str) -> Any:
        """An own command, or one that a package offers."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for point in entry_points(group="stellwerk.commands", name=cmd_name):
            command = typer.main.get_command(point.load())
            command.name = cmd_name
            return command
        return None


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"stellwerk {version('stellwerk')}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """A detector test bench in software.

    Simulators of detectors, control units and databases; a real correction pipeline that cannot tell them from
    the hardware; and a scheduler that runs final acceptance tests which nothing can break.

    First steps:

      stellwerk demo                         run a whole acceptance test on a simulated bench

      stellwerk up configs/demo.toml         bring a bench up; Ctrl-C takes it down

      stellwerk fat resume                   go on with an acceptance run that was stopped

    Shell completion: stellwerk --install-completion
    """


bench_commands.register(app)
app.command()(soak)


def main() -> None:
    """Run the command line. Errors that have a sentence show it; anything else is our bug and says so."""
    try:
        app()
    except Exception as error:  # noqa: BLE001  # the last border: everything becomes a sentence and an exit code
        exit_code = getattr(error, "exit_code", None)
        if isinstance(exit_code, int):
            for line in str(error).splitlines():
                typer.echo(f"stellwerk: {line}", err=True)
            sys.exit(exit_code)
        traceback.print_exc()
        typer.echo("stellwerk: this is a bug of ours; please report it with the lines above", err=True)
        sys.exit(EXIT_BUG)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        let_go_of_output()
