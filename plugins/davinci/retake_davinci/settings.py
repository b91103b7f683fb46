"""What the scripts are told by a file of the user's, `davinci.json` in Retake's folder; without it everything has a default."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from retake_client.connection import default_home
from retake_client.orders import SessionSettings
from retake_client.paths import PathMap

from .errors import EditorError
from .lines import Subtitles

FILE = "davinci.json"
CONFORM = ("fit", "keep")
LONGEST_HANDLE = 250  # frames


@dataclass(frozen=True)
class Settings:
    """How the scripts work.

    speaker: who speaks where a line names nobody.
    conform: "fit" (the take lasts as long as its line's time) or "keep" (words at their own pace; what is too long lies in the handle).
    handles: frames of living picture before and behind each take.
    subtitles: which subtitle items are lines.
    width, height: of takes, in pixels; 0: as the speaker's reference.
    video_track, audio_track: where takes go, counted from 1; 0: to tracks called Retake.
    folder: where takes are kept, an absolute path; empty: `Retake/PROJECT` among the user's videos.
    copy: whether takes that lie within reach are put into that folder too; without it they are used in the daemon's store.
    address, token_file: of a daemon on another machine; empty: the one of this user.
    paths: folders that both machines share, "Z:\\retake=/mnt/retake; ...".
    may_start: whether a daemon that does not run is started.
    """

    speaker: str = ""
    conform: str = "fit"
    handles: int = 0
    subtitles: str = Subtitles.NAMED.value
    width: int = 0
    height: int = 0
    video_track: int = 0
    audio_track: int = 0
    folder: str = ""
    address: str = ""
    token_file: str = ""
    paths: str = ""
    may_start: bool = True
    copy: bool = True

    @property
    def which_subtitles(self) -> Subtitles:
        return Subtitles(self.subtitles)

    def session(self, home: Path, folder: Path) -> SessionSettings:
        """What the connection needs; `folder` is for takes.

        Raises EditorError (bad_settings) for a token that cannot be read, ClientError for paths that mean nothing.
        """
        return SessionSettings(
            home=home,
            address=self.address,
            token=_token(self.token_file),
            paths=PathMap.parse(self.paths),
            folder=folder,
            copy=self.copy,
            may_start=self.may_start,
            name="davinci",
        )


def load(home: Path | None = None) -> Settings:
    """The user's settings. Raises EditorError (bad_settings), which names what is wrong."""
    path = (default_home() if home is None else home) / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise _bad(path, str(error)) from error
    if not isinstance(content, dict):
        raise _bad(path, "it holds no object")
    known = {entry.name: type(getattr(Settings(), entry.name)) for entry in fields(Settings)}
    for name, value in content.items():
        if name not in known:
            raise _bad(path, f"it names '{name}'; known are {', '.join(known)}")
        if type(value) is not known[name]:
            raise _bad(path, f"'{name}' must be {_KINDS[known[name]]}")
    settings = replace(Settings(), **content)
    for name, (fits, wanted) in _RULES.items():
        if not fits(getattr(settings, name)):
            raise _bad(path, f"'{name}' must be {wanted}")
    if bool(settings.width) != bool(settings.height):
        raise _bad(path, "'width' and 'height' go together")
    return settings


_KINDS = {str: "text", int: "a whole number", bool: "true or false"}
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "conform": (lambda value: value in CONFORM, "fit or keep"),
    "handles": (lambda value: 0 <= value <= LONGEST_HANDLE, f"0 to {LONGEST_HANDLE} frames"),
    "subtitles": (lambda value: value in {kind.value for kind in Subtitles}, "named, all or none"),
    "width": (lambda value: value == 0 or (64 <= value <= 7680 and value % 2 == 0), "an even number from 64 to 7680"),
    "height": (lambda value: value == 0 or (64 <= value <= 7680 and value % 2 == 0), "an even number from 64 to 7680"),
    "video_track": (lambda value: value >= 0, "a track's number, or 0"),
    "audio_track": (lambda value: value >= 0, "a track's number, or 0"),
    "folder": (lambda value: not value or Path(value).expanduser().is_absolute(), "an absolute path"),
}


def _token(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).expanduser().read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise EditorError(
            f"The token cannot be read from {path}.", "Copy the file 'token' of Retake's folder from the daemon's machine.", "bad_settings"
        ) from error


def _bad(path: Path, why: str) -> EditorError:
    return EditorError(f"{path} cannot be used: {why[:300]}.", "Correct the file, or remove it to have the defaults.", "bad_settings")
