"""`retake model`: which language model helps with scripts, and its key."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug
from retake.domain.errors import RetakeError
from retake.settings import home, load_settings


def add_model(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The language model that helps with scripts: what is set up, and its key.")
    group.command()(show)
    group.command("set-key")(set_key)
    group.command("forget-key")(forget_key)
    app.add_typer(group, name="model")


def show(as_json: AsJson = False, debug: Debug = False) -> None:
    """Show which model would be asked, where, and where its key comes from (never the key)."""
    from retake.script.language_model import address
    from retake.script.model_key import where_from

    settings = load_settings(home()).language_model
    found = {"model": settings.model, "address": address(settings), "key": where_from(settings.base_url)}
    if as_json:
        cli_output.answer_json(found)
    else:
        cli_output.print_lines(f"{name}: {value}" for name, value in found.items())


def set_key(
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the key from standard input instead of asking for it.")] = False, debug: Debug = False
) -> None:
    """Keep the key in the operating system's key store. It is asked for without showing it, and is no argument: those end up in histories."""
    from getpass import getpass

    from retake.script.model_key import store_key

    if stdin or not sys.stdin.isatty():
        key = sys.stdin.readline(2000)
    else:
        try:
            key = getpass("Key (not shown): ")
        except EOFError:
            raise RetakeError("No key was given.", "Paste it, or pipe it in with --stdin.", code="bad_model_key") from None
    store_key(key)
    print("The key is kept in this account's key store.")


def forget_key(debug: Debug = False) -> None:
    """Remove the key from the key store."""
    from retake.script.model_key import forget_key as forget

    print("The key is removed." if forget() else "There was no key in the key store.")
