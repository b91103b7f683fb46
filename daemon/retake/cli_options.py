"""Options that several commands share, and how their values become a TakeRequest."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.take import TakeRequest

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")]

_LONGEST_TEXT_FILE = 1_000_000  # bytes; longer than any reference's words


def text_or_file(value: str, what: str) -> str:
    """`value` itself, or the content of the file that it names, or standard input for ``-``."""
    if value == "-":
        return sys.stdin.read(_LONGEST_TEXT_FILE)
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
    return bool(value) and len(value) < 1000 and "\n" not in value and "\0" not in value


def existing_file(path: Path, what: str) -> Path:
    """`path`, absolute; raises RetakeError if there is no such file."""
    path = path.expanduser().resolve()
    if not path.exists():
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


def check_output(path: Path | None) -> Path | None:
    """The clip to write, absolute; raises RetakeError if it cannot be written there. Called before minutes of work, and cheap."""
    if path is None:
        return None
    path = path.expanduser().resolve()
    if path.is_dir():
        raise RetakeError(f"{path} is a folder.", "Name the clip, for example out.mp4.", code="bad_output")
    if path.suffix.lower() != ".mp4":
        raise RetakeError(f"'{path.name}' does not end in .mp4.", "Takes are written as MP4: name the clip, for example out.mp4.", code="bad_output")
    if not path.parent.is_dir():
        raise RetakeError(
            f"The folder {path.parent} does not exist.", "Make it first, or choose another place.", kind=ErrorKind.NOT_FOUND, code="no_output_folder"
        )
    _check_writable(path.parent)
    return path


def check_output_folder(path: Path) -> Path:
    """The folder for a script's takes, absolute; it is made if its parent is there. Raises RetakeError if that is impossible."""
    path = path.expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise RetakeError(f"{path} is not a folder.", "A script's takes need a folder: give another one with -o.", code="bad_output")
    if not path.exists() and not path.parent.is_dir():
        raise RetakeError(
            f"The folder {path.parent} does not exist.", "Make it first, or choose another place.", kind=ErrorKind.NOT_FOUND, code="no_output_folder"
        )
    _check_writable(path if path.exists() else path.parent)
    return path


def _check_writable(folder: Path) -> None:
    """Asking the system (os.access) lies on Windows and on network drives, so a file is made."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".retake-"):
            return
    except OSError as error:
        raise RetakeError(
            f"{folder} cannot be written ({error.strerror or error}).",
            "Choose another place with -o.",
            kind=ErrorKind.ENVIRONMENT,
            code="not_writable",
        ) from error
