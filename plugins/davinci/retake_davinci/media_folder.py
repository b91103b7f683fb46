"""Where takes lie on the disk: beside the user's other media, since an edit must not depend on what Retake's own store keeps."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .errors import EditorError
from .settings import Settings

NAME = "Retake"
_LONGEST = 120  # bytes of a folder's name: file systems take 255, and Windows wants short paths
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # no names of files on Windows
_VIDEOS = re.compile(r'^\s*XDG_VIDEOS_DIR\s*=\s*"(.+)"\s*$', re.MULTILINE)


def videos_folder(platform: str | None = None, environment: Mapping[str, str] | None = None, home: Path | None = None) -> Path:
    """The user's folder for videos; it may not exist."""
    system = sys.platform if platform is None else platform
    own = Path.home() if home is None else home
    if system == "darwin":
        return own / "Movies"
    if system == "win32":
        return own / "Videos"
    given = os.environ if environment is None else environment
    configured = given.get("XDG_CONFIG_HOME", "").strip()
    try:
        text = ((Path(configured) if configured else own / ".config") / "user-dirs.dirs").read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = ""
    found = _VIDEOS.search(text)
    folder = Path(found[1].replace("$HOME", str(own), 1)) if found is not None else own / "Videos"
    return folder if folder.is_absolute() and folder != own else own / "Videos"  # the home folder itself stands for "none"


def folder_of(settings: Settings, project: str = "") -> Path:
    """Where takes of a project go: the folder of the settings, else `Retake/PROJECT` among the user's videos."""
    if settings.folder:
        return Path(settings.folder).expanduser()
    folder = videos_folder() / NAME
    return folder / safe_name(project) if project else folder


def safe_name(project: str) -> str:
    """A project's name as the name of a folder, on every system."""
    name = _NOT_IN_NAMES.sub("_", project).strip(" .")
    name = name.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore").strip(" .")
    return f"_{name}" if not name or _DEVICES.fullmatch(name) else name


def check(folder: Path) -> None:
    """Make the folder, and raise EditorError (not_writable) if nothing can be put there: better before anything is rendered than after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".retake-"):
            pass
    except OSError as error:
        raise EditorError(
            f"Takes cannot be put into {folder} ({error.strerror or type(error).__name__}).",
            "Check its permissions, or name another 'folder' in davinci.json.",
            "not_writable",
        ) from error
