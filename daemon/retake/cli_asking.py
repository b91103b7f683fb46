"""What commands that ask a language model have in common: say what is sent, show it instead, show the answer as it arrives."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.settings import LanguageModelSettings, home, load_settings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from retake.script.language_model import LanguageModel, Prompt, Usage

Show = Annotated[bool, typer.Option("--show", help="Print what would be sent, and send nothing.")]


def _settings() -> LanguageModelSettings:
    return load_settings(home()).language_model


def model_for(prompt: Prompt, *, quiet: bool) -> LanguageModel:
    """The model to ask; says first what is sent and where."""
    from urllib.parse import urlsplit

    from retake.script.language_model import LanguageModel, address
    from retake.script.model_key import find_key

    settings = _settings()
    where = address(settings)
    key = find_key(settings.base_url)
    if not quiet:
        words = len(f"{prompt.system} {prompt.user}".split())
        print(f"Sending {words} words to {settings.model} at {urlsplit(where).netloc} ('--show' prints them).", file=sys.stderr)
    return LanguageModel(settings, key)


def show_request(prompt: Prompt, shape: type[BaseModel]) -> None:
    """Print the request as it would be sent."""
    from retake.script.language_model import address, request_body

    settings = _settings()
    cli_output.answer_json({"address": f"{address(settings)}/chat/completions", "request": request_body(settings, prompt, shape)})


def heard_by(*, quiet: bool, as_json: bool) -> Callable[[str], None] | None:
    """The answer as it arrives, on stderr of a terminal."""
    if quiet or as_json or not sys.stderr.isatty():
        return None

    def show(piece: str) -> None:
        sys.stderr.write("".join(sign if sign.isprintable() else " " for sign in piece))
        sys.stderr.flush()

    return show


def usage_document(usage: Usage) -> dict[str, Any]:
    """What was asked for and what it cost, for JSON answers."""
    return {"requests": usage.requests, "tokens_sent": usage.sent, "tokens_received": usage.received, "dollars": usage.cost}
