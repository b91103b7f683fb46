"""`retake install davinci`: Retake's scripts into DaVinci Resolve, out of it, and a look at why they do not work."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import home

_KINDS = {"not_writable": ErrorKind.ENVIRONMENT, "not_installed": ErrorKind.NOT_FOUND}
_NEXT = (
    "Next, in DaVinci Resolve Studio 18.5 or newer:",
    "  1. Preferences > System > General > 'External scripting using': Local. Restart Resolve.",
    "  2. Resolve uses a 64-bit Python 3.9 or newer of this machine, from python.org on Windows and macOS.",
    "  3. Start Retake ('retake serve'), open a timeline, and choose Workspace > Scripts > Retake.",
    "The free edition runs no Python scripts: see 'The free edition' in docs/davinci.md.",
)


def add_install(app: typer.Typer) -> None:
    editors = typer.Typer(help="Put Retake into an editor.", no_args_is_help=True)
    editors.command("davinci")(davinci)
    app.add_typer(editors, name="install")


def davinci(
    folder: Annotated[Path | None, typer.Option(help="Resolve's Fusion folder (it holds Scripts), if it is not in its usual place.")] = None,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Remove exactly what was installed.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say why it does not work: Python, Resolve, settings and daemon.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be written or removed.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Install Retake's scripts for DaVinci Resolve."""
    from retake_davinci import installing

    target = folder if folder is not None else installing.default_folder()
    if check:
        _check(target, as_json)
        return
    with _told():
        if uninstall:
            plan = installing.uninstall(target, dry_run=dry_run)
        else:
            plan = installing.install(target, {name: _package(name) for name in installing.PACKAGES}, dry_run=dry_run)
    if as_json:
        answer = {"folder": str(plan.fusion), "dry_run": dry_run, "notes": plan.kept}
        cli_output.answer_json({**answer, "written": [str(path) for path in plan.written], "removed": [str(path) for path in plan.removed]})
        return
    would = "Would write" if dry_run else "Written"
    scripts = [path for path in plan.written if path.name in installing.SCRIPTS]
    if plan.written:
        cli_output.print_lines([f"{would} {len(plan.written)} files, of which Resolve lists:", *(f"  {path}" for path in scripts)])
    if plan.removed:
        cli_output.print_lines([f"{'Would remove' if dry_run else 'Removed'} {len(plan.removed)} files of {plan.fusion}."])
    cli_output.print_lines(plan.kept)
    if not uninstall and not dry_run:
        cli_output.print_lines(_NEXT)


def _check(fusion: Path, as_json: bool) -> None:
    from retake_davinci import doctor

    findings = doctor.examine(home(), fusion=fusion)
    failed = any(finding.ok is False for finding in findings)
    if as_json:
        fields = [{"name": one.name, "ok": one.ok, "sentence": one.sentence, "remedy": one.remedy} for one in findings]
        cli_output.answer_json({"ok": not failed, "findings": fields})
    else:
        cli_output.print_lines([f"Looked at with {sys.executable}; Resolve may use another Python.", *doctor.text_of(findings)])
    if failed:
        raise typer.Exit(ErrorKind.ENVIRONMENT.value)


def _package(name: str) -> Path:
    """The folder of a package of ours, wherever it is installed."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise RetakeError(
            f"The package {name} is missing.", "Run 'python3 bootstrap.py setup' again.", kind=ErrorKind.ENVIRONMENT, code="missing_package"
        )
    return Path(found.origin).parent


@contextmanager
def _told() -> Iterator[None]:
    from retake_davinci import EditorError

    try:
        yield
    except EditorError as error:
        raise RetakeError(error.cause, error.remedy, kind=_KINDS.get(error.code, ErrorKind.BAD_INPUT), code=error.code) from error
