"""`retake engines`: list, install, test, remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug, Quiet
from retake.domain.errors import RetakeError
from retake.settings import home, load_settings, prepare_home

Name = Annotated[str, typer.Argument(help="The engine, see 'retake engines list'.")]


def add_engines(app: typer.Typer) -> None:
    group = typer.Typer(help="List, install, test or remove engines.", invoke_without_command=True, rich_markup_mode=None)
    group.callback()(list_all)
    group.command("list")(list_all_command)
    group.command("install")(install)
    group.command("test")(test)
    group.command("remove")(remove)
    app.add_typer(group, name="engines")


def list_all(context: typer.Context, as_json: AsJson = False, debug: Debug = False) -> None:
    """List, install, test or remove engines."""
    if context.invoked_subcommand is None:
        list_all_command(as_json)


def list_all_command(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the engines: what each needs, on which terms, and whether it works here."""
    from retake.engines.listing import listing

    settings = load_settings(home())
    found = listing(home(), voice=settings.voice_engine, lips=settings.lips_engine)
    if as_json:
        cli_output.answer_json({"engines": [one.model_dump(mode="json") for one in found]})
        return
    rows = [
        (
            one.stage,
            one.name + (" (default)" if one.default else ""),
            ("ready" if one.available else "; ".join(one.missing)) + (f"; {one.tried}" if one.tried else ""),
            ", ".join(one.languages) or "any",
            one.licence.partition(";")[0] + ("" if one.commercial_use else ", NOT for commercial use"),
            one.needs,
        )
        for one in found
    ]
    cli_output.print_lines(cli_output.table(("stage", "engine", "state", "languages", "licence", "needs"), rows))


def install(
    name: Name,
    source: Annotated[Path | None, typer.Option("--from", help="Folder with the weights (and wheels), instead of the network.")] = None,
    accept: Annotated[bool, typer.Option("--accept-licence", help="You have read the engine's licence and agree to it.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Install an engine, or go on with an installation that was interrupted."""
    from retake.console import working
    from retake.engines.install import install as install_engine

    folder = prepare_home(home())
    account = load_settings(folder).account

    def attempt(agreed: bool) -> None:
        with working("engines-install", folder, quiet=quiet) as progress:
            record = install_engine(folder, name, source=source, accept=agreed, account=account, progress=progress)
        if as_json:
            cli_output.answer_json({"installed": record.model_dump(mode="json")})
            return
        print(
            f"Installed '{name}': Python {record.python}, {len(record.packages)} packages, {_size(sum(w.size for w in record.weights))} of weights."
        )
        unknown = [weight.path for weight in record.weights if not weight.known]
        if unknown:
            print(f"The hash of {', '.join(unknown)} was not known beforehand; it was recorded, and later changes will be noticed.")

    try:
        attempt(accept)
    except RetakeError as error:
        if error.code != "licence_not_accepted" or as_json or not _asks():
            raise
        print(error.cause)
        if not typer.confirm("Do you agree to this licence?", err=True):
            raise
        attempt(True)


def test(name: Name, quiet: Quiet = False, as_json: AsJson = False, debug: Debug = False) -> None:
    """Check an installed engine: its weights, loading, and a spoken line or some drawn faces."""
    from retake.console import working
    from retake.engines import registry
    from retake.speech.trial import try_voice

    folder = home()
    if registry.engine(folder, name).manifest.stage == "lips":
        _test_lips(folder, name, quiet, as_json)
        return
    with working("engines-test", folder, quiet=quiet) as progress:
        trial = try_voice(folder, name, progress)
    if as_json:
        cli_output.answer_json({"engine": name, **vars(trial), "real_time_factor": round(trial.real_time_factor, 3)})
        return
    print(f"'{name}' works on {trial.device}: loaded in {trial.load_seconds:.1f} s, {trial.seconds:.1f} s of speech in {trial.speak_seconds:.1f} s.")
    if trial.confidence is None:
        print("The words of the line could not be found in what it said.")
    else:
        print(f"The words of the line were found in it with a confidence of {trial.confidence:.2f}.")


def _test_lips(folder: Path, name: str, quiet: bool, as_json: bool) -> None:
    from retake.console import working
    from retake.face.lips_trial import try_lips

    with working("engines-test", folder, quiet=quiet) as progress:
        trial = try_lips(folder, name, progress)
    if as_json:
        cli_output.answer_json({"engine": name, **vars(trial)})
        return
    print(f"'{name}' works on {trial.device}: first face after {trial.load_seconds:.1f} s, then {trial.faces} faces in {trial.seconds:.2f} s.")


def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Remove an engine and everything that was fetched for it."""
    from retake.engines import install as installing

    folder = home()
    if not yes and not as_json and not typer.confirm(f"Remove the engine '{name}' and its weights?", err=True):
        raise typer.Abort()
    freed = installing.remove(folder, name)
    if as_json:
        cli_output.answer_json({"removed": name, "bytes": freed})
    else:
        print(f"Removed '{name}': {_size(freed)} became free.")


def _asks() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
