"""The command line: `retake enrol`, `say`, `speakers`, `takes`, `score`, `doctor`, `demo`, `version`. Thin: every command calls one function.

Heavy modules are imported by the commands that need them, so that `retake --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import Abort, TyperException
from typer.main import get_command

from retake import __version__, cli_output
from retake.cli_chapters import add_chapters
from retake.cli_doctor import add_doctor
from retake.cli_engines import add_engines
from retake.cli_fill import add_fill
from retake.cli_install import add_install
from retake.cli_make import add_makers
from retake.cli_markers import add_markers
from retake.cli_model import add_model
from retake.cli_prune import add_prune
from retake.cli_serve import add_serve
from retake.cli_speakers import add_speakers
from retake.cli_takes import add_takes
from retake.cli_watch import add_watch
from retake.cli_write import add_writers
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import home, prepare_process

app = typer.Typer(
    name="retake",
    help="Change what a person says in a video without a reshoot.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_makers(app)
add_speakers(app)
add_takes(app)
add_fill(app)
add_markers(app)
add_doctor(app)
add_engines(app)
add_serve(app)
add_watch(app)
add_prune(app)
add_install(app)
add_writers(app)
add_chapters(app)
add_model(app)


@app.command()
def version(as_json: bool = typer.Option(False, "--json", help="Answer in JSON.")) -> None:
    """Show the version of Retake."""
    if as_json:
        cli_output.answer_json({"version": __version__})
    else:
        print(f"retake {__version__}")


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Errors that nobody foresaw are raised."""
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    as_json = "--json" in options
    cli_output.tolerant_streams()
    try:
        folder = home()
        cli_output.install_crash_report(folder, as_json=as_json, debug="--debug" in options)
        prepare_process(folder)
        # Calling the app itself would put Typer's own report of crashes in the place of ours.
        result = get_command(app).main(args=list(arguments), prog_name="retake", standalone_mode=False)
    except RetakeError as error:
        return cli_output.report_error(error, as_json=as_json)
    except TyperException as error:
        if not arguments:
            print(error.format_message())  # the help, since no command was given
            return cli_output.USAGE
        return cli_output.report_usage(error.format_message(), as_json=as_json)
    except (KeyboardInterrupt, Abort):
        return cli_output.report_interrupt(as_json=as_json)
    if result == ErrorKind.CANCELLED.value:  # Typer's answer to an interrupt, which it swallows
        return cli_output.report_interrupt(as_json=as_json)
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the `retake` command."""
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if code == ErrorKind.CANCELLED.value:
        os._exit(code)  # threads of interrupted native code may never return; everything of ours is written by now
    sys.exit(code)
