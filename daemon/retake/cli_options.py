"""Options that several commands share, and how their values become a TakeRequest."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.take import TakeRequest

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]

_LONGEST_NAME = 255  # bytes
_LONGEST_TEXT_FILE = 1_000_000  # bytes; longer than any reference's words


def text_or_file(value: str, what: str) -> str:
    """`value` itself, or the content of the file that it names, or standard input for ``-``."""
    if value == "-":
        try:
            return sys.stdin.read(_LONGEST_TEXT_FILE)
        except UnicodeDecodeError as error:
            raise RetakeError("Standard input is not text.", f"Pipe the {what} in as plain text in UTF-8.", code="not_text") from error
    if not _may_be_a_path(value):
        return value
    path = Path(value).expanduser()
    try:
        if not path.is_file():
            if path.suffix.lower() in {".txt", ".md"} and " " not in path.suffix:
                raise RetakeError(f"There is no file {path}.", f"Give the path of the {what}, or its text.", kind=ErrorKind.NOT_FOUND, code="no_file")
            return value
        if path.stat().st_size > _LONGEST_TEXT_FILE:
            raise RetakeError(f"{path} is too large for a {what}.", "Give a plain text file.", code="not_text")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RetakeError(f"{path} is not a text file.", "Save it as plain text in UTF-8.", code="not_text") from error
    except OSError as error:
        raise RetakeError(
            f"{path} cannot be read ({error.strerror or error}).", "Check its permissions.", kind=ErrorKind.ENVIRONMENT, code="unreadable"
        ) from error


def _may_be_a_path(value: str) -> bool:
    if not value or len(value) >= 1000 or "\n" in value or "\0" in value:
        return False
    # A sentence or two: no file system has names as long as that, and asking for one is an error.
    return all(len(name.encode("utf-8", "replace")) <= _LONGEST_NAME for name in value.replace("\\", "/").split("/"))


def existing_file(path: Path, what: str) -> Path:
    """`path`, absolute; raises RetakeError if there is no such file."""
    path = path.expanduser().resolve()
    try:
        exists = path.exists()
    except OSError as error:  # a folder on the way that may not be entered
        raise RetakeError(
            f"{path} cannot be read ({error.strerror or error}).", "Check its permissions.", kind=ErrorKind.ENVIRONMENT, code="unreadable"
        ) from error
    if not exists:
        raise RetakeError(f"There is no file {path}.", f"Give the path of the {what}.", kind=ErrorKind.NOT_FOUND, code="no_file")
    if not path.is_file():
        raise RetakeError(f"{path} is not a file.", f"Give the path of the {what}.", code="not_a_file")
    return path


def parse_size(value: str | None) -> tuple[int | None, int | None]:
    """``1920x1080`` -> (1920, 1080); None -> (None, None)."""
    if value is None:
        return None, None
    match = re.fullmatch(r"\s*(\d{1,5})\s*[xX×*]\s*(\d{1,5})\s*", value)
    if match is None:
        raise RetakeError(f"'{value}' is not a picture size.", "Give width x height in pixels, for example 1920x1080.", code="bad_size")
    return int(match[1]), int(match[2])


def make_request(**fields: Any) -> TakeRequest:
    """A TakeRequest; values out of range raise RetakeError naming the option and what it takes."""
    try:
        return TakeRequest(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "the request"
        option = {"width": "--size", "height": "--size"}.get(name, f"--{name}")
        raise RetakeError(f"{option}: {first.get('input')!r} is not possible.", f"{first['msg']}.", code="bad_option") from error


def check_output(path: Path | None, home: Path) -> Path | None:
    """The clip to write, absolute; raises RetakeError if it cannot be written there. Called before minutes of work, and cheap."""
    if path is None:
        return None
    from retake.takes.delivery import check_target

    path = path.expanduser().resolve()
    check_target(path, home)
    return path


def check_output_folder(path: Path, home: Path) -> Path:
    """The folder for a script's takes, absolute; raises RetakeError if it cannot be made or written."""
    from retake.takes.delivery import check_target_folder

    path = path.expanduser().resolve()
    check_target_folder(path, home)
    return path
