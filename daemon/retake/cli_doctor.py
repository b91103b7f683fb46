"""`retake doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug
from retake.domain.errors import ErrorKind
from retake.settings import home

_MARKS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


def add_doctor(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended: fetch the face model.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check this machine and the installation, with a remedy for each thing that is wrong."""
    from retake.doctor import examine, repair

    done = repair() if fix else []
    checks = examine(home())
    failed = any(check.state == "failed" for check in checks)
    if as_json:
        cli_output.answer_json({"ok": not failed, "fixed": done, "checks": [check.document() for check in checks]})
    else:
        cli_output.print_lines(f"fixed    {line}" for line in done)
        for check in checks:
            print(f"{_MARKS[check.state]}  {check.name}: {check.detail}")
            if check.remedy:
                print(f"         -> {check.remedy}")
    if failed:
        raise typer.Exit(ErrorKind.ENVIRONMENT.value)
