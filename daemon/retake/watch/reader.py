"""A dropped file -> what it asks for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.media import safe_data
from retake.script.parse import LARGEST as LARGEST_SCRIPT
from retake.watch.read_csv import read_csv
from retake.watch.read_data import read_data
from retake.watch.read_script import read_script
from retake.watch.read_srt import read_srt
from retake.watch.texts import decode
from retake.watch.wish import Drop

TIMELINE = ".otio"
LARGEST = {
    ".txt": LARGEST_SCRIPT,
    ".md": LARGEST_SCRIPT,
    ".json": safe_data.LARGEST_JSON,
    ".yaml": safe_data.LARGEST_YAML,
    ".yml": safe_data.LARGEST_YAML,
    ".srt": 10_000_000,
    ".csv": 20_000_000,
    TIMELINE: 64 * 1024**2,
}  # bytes, by the ending of the name; nothing else is read


def read_bytes(path: Path) -> bytes:
    """The whole file. Never follows a link nor waits for a pipe.

    Raises RetakeError (too_large, not_a_plain_file, unreadable).
    """
    limit = LARGEST[path.suffix.lower()]
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RetakeError("This is not a plain file.", "Drop the file itself.", code="not_a_plain_file")
            content = file.read(limit + 1)
    except OSError as error:
        raise RetakeError(
            f"The file cannot be read ({error.strerror or error}).",
            "Check its permissions and drop it again.",
            kind=ErrorKind.ENVIRONMENT,
            code="unreadable",
        ) from error
    if len(content) > limit:
        raise RetakeError(f"The file is larger than {limit / 1e6:.0f} MB.", "Split it into several files.", code="too_large")
    return content


def read_drop(content: bytes, name: str) -> Drop:
    """What a file asks for.

    Args:
        name: the file's name, which tells its format.

    Raises RetakeError with the place in the file, the cause and a remedy.
    """
    suffix = Path(name).suffix.lower()
    if suffix == TIMELINE:
        return Drop(())
    text = decode(content)
    if suffix == ".json":
        return read_data(safe_data.read_json(text), name)
    if suffix in {".yaml", ".yml"}:
        return read_data(safe_data.read_yaml(text), name)
    if suffix == ".csv":
        return read_csv(text, name)
    if suffix == ".srt":
        return read_srt(text, name)
    return read_script(text, name)
