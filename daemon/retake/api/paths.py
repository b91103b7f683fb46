"""Files that callers name: an upload, or a path inside one of the folders that the user opened to callers. Nothing else is touched.

What a path looks like is judged before the file system is asked, so that a refused path cannot make this machine contact another one (UNC) or
tell whether something exists outside.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from retake.api.context import Context
from retake.api.shared import artefacts_of
from retake.api.upload_store import Upload, upload_path
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import EnrolSpec, JobSpec, LineSpec, ScriptSpec
from retake.domain.take import TakeRequest

UPLOAD = "upload:"
LONGEST_PATH = 4096
# Names that mean a device in every folder of Windows, with any suffix.
_DEVICES = frozenset({"con", "prn", "aux", "nul", "conin$", "conout$", "clock$", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def resolve_input(context: Context, value: str, *, kind: str | None = None) -> Path:
    """The file that a caller names: `upload:ID`, or an absolute path inside one of `settings.server.roots`.

    Args:
        kind: what an upload must be ("media", "timeline" or "text"); files inside the roots are looked at by whoever reads them.

    Raises RetakeError: outside_roots (REFUSED), missing_file, unknown_upload (NOT_FOUND), not_a_file, upload_unfinished, wrong_upload.
    """
    if value.startswith(UPLOAD):
        return _uploaded(context, value, kind)
    path = _inside(context, value)
    try:
        mode = path.lstat().st_mode  # what it is resolved to is no link, unless somebody has just put one there
    except (OSError, ValueError) as error:
        raise RetakeError(
            f"{_shown(value)} does not exist.", "Check the name and the folder.", kind=ErrorKind.NOT_FOUND, code="missing_file"
        ) from error
    if not stat.S_ISREG(mode):
        raise RetakeError(f"{_shown(value)} is not a file.", "Give a video, sound file, script or timeline.", code="not_a_file")
    return path


def resolve_output(context: Context, value: str, *, folder: bool = False) -> Path:
    """Where a caller wants a result: an absolute path inside one of `settings.server.roots`, in a folder that exists.

    Args:
        folder: a folder is wanted, which need not exist; else a file, which may.

    Raises RetakeError: outside_roots (REFUSED), bad_output, no_folder (ENVIRONMENT).
    """
    if value.startswith(UPLOAD):
        raise RetakeError("An upload is not a place for results.", "Give a path inside one of the folders in server.roots.", code="bad_output")
    path = _inside(context, value)
    if not path.parent.is_dir():
        raise RetakeError(
            f"The folder of {_shown(value)} does not exist.", "Create it or choose another folder.", kind=ErrorKind.ENVIRONMENT, code="no_folder"
        )
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return path
    except OSError as error:
        raise refused(value) from error
    if folder and not stat.S_ISDIR(mode):
        raise RetakeError(f"{_shown(value)} is not a folder.", "Choose another one.", code="bad_output")
    if not folder and not stat.S_ISREG(mode):
        raise RetakeError(f"{_shown(value)} is not a file.", "Choose another name.", code="bad_output")
    return path


def resolve_spec(context: Context, spec: JobSpec) -> JobSpec:
    """The job with all files that it names resolved, and shared where several machines work on jobs.

    Raises RetakeError as `resolve_input` and `resolve_output`.
    """
    resolved = _resolve_spec(context, spec)
    shared = artefacts_of(context)
    return resolved if shared is None else shared.share(resolved)


def open_regular(path: Path, folder: Path) -> BinaryIO:
    """Open a file of ours in `folder` for reading, never one that a link points to, and never a pipe or device.

    Raises RetakeError (missing_file) where there is no such file inside the folder.
    """
    missing = RetakeError(f"{path.name} is not there.", "It was removed or damaged; make it again.", kind=ErrorKind.NOT_FOUND, code="missing_file")
    try:
        if not path.parent.resolve(strict=True).is_relative_to(folder.resolve(strict=True)):
            raise missing
        # Without waiting: opening a pipe would else block until somebody writes to it.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, RuntimeError, ValueError) as error:
        raise missing from error
    if not stat.S_ISREG(os.fstat(handle).st_mode) or path.is_symlink():
        os.close(handle)
        raise missing
    return os.fdopen(handle, "rb")


def refused(value: str) -> RetakeError:
    """What to tell about a path that callers may not name; the same whether it exists or not."""
    return RetakeError(
        f"{_shown(value)} is in none of the folders that callers may use.",
        "Upload the file and name it as upload:ID, or add its folder to server.roots in settings.json.",
        kind=ErrorKind.REFUSED,
        code="outside_roots",
    )


def well_formed(value: str, *, windows: bool) -> bool:
    """Whether `value` is a plain absolute path of this system: no way up, no other machine, no device, no stream, nothing hidden in it."""
    if not value or len(value) > LONGEST_PATH or _CONTROL.search(value):
        return False
    slashes = value.replace("\\", "/") if windows else value
    if slashes.startswith("//"):  # \\server\share, \\?\..., \\.\device; POSIX leaves open what two slashes mean
        return False
    rest = slashes
    if windows:
        if not re.match(r"[A-Za-z]:/", slashes):
            return False
        rest = slashes[2:]
    elif not slashes.startswith("/"):
        return False
    return all(_plain(part, windows) for part in rest.split("/"))


def _plain(part: str, windows: bool) -> bool:
    if part == ".." or len(part.encode()) > 255:
        return False
    if not windows:
        return True
    # Windows drops dots and spaces at the end, takes what follows a colon for a stream, and finds 8.3 names of other files behind a tilde.
    device = part.split(".", maxsplit=1)[0].rstrip(" ").lower() in _DEVICES
    return part in {"", "."} or not (device or part[-1] in ". " or re.search(r'[<>:"|?*]', part) or re.search(r"~\d", part))


def _inside(context: Context, value: str) -> Path:
    """The path without links, inside a root and outside Retake's own folder. It need not exist."""
    if not well_formed(value, windows=os.name == "nt"):
        raise refused(value)
    home = context.home.resolve()
    for root in context.settings.server.roots:
        try:
            written = Path(root).expanduser().absolute()
            real = written.resolve()
            if not (Path(value).is_relative_to(written) or Path(value).is_relative_to(real)):
                continue
            path = Path(value).resolve()
        except (OSError, RuntimeError, ValueError):  # links that go round in circles, a root without a home
            continue
        # What is learnt of people, and the daemon's secrets, are never a caller's file, also where a root holds the home folder.
        if path.is_relative_to(real) and path != real and not path.is_relative_to(home):
            return path
    raise refused(value)


def _uploaded(context: Context, value: str, kind: str | None) -> Path:
    path = upload_path(context.home, value.removeprefix(UPLOAD))
    if kind is not None:
        upload = Upload.load(context.home, value.removeprefix(UPLOAD))
        if upload.kind != kind:
            wanted = {"media": "a video or sound file", "timeline": "an OpenTimelineIO timeline"}.get(kind, "a text")
            raise RetakeError(f"The upload '{upload.name}' is not {wanted}.", "Name another upload.", code="wrong_upload")
    with contextlib.suppress(OSError):
        os.utime(path)  # needed anew: whoever tidies just now, and has not yet seen the job, takes it for fresh
    return path


def _resolve_spec(context: Context, spec: JobSpec) -> JobSpec:
    if isinstance(spec, EnrolSpec):
        return spec.model_copy(update={"reference": str(resolve_input(context, spec.reference, kind="media"))})
    if isinstance(spec, LineSpec):
        return spec.model_copy(update={"request": _resolve_request(context, spec.request), "output": _output(context, spec.output)})
    if isinstance(spec, ScriptSpec):
        requests = [_resolve_request(context, request) for request in spec.requests]
        return spec.model_copy(update={"requests": requests, "output_folder": _output(context, spec.output_folder, folder=True)})
    timeline = str(resolve_input(context, spec.timeline, kind="timeline"))
    return spec.model_copy(update={"timeline": timeline, "output": _output(context, spec.output)})


def _resolve_request(context: Context, request: TakeRequest) -> TakeRequest:
    if request.audio is None:
        return request
    return request.model_copy(update={"audio": str(resolve_input(context, request.audio, kind="media"))})


def _output(context: Context, value: str | None, *, folder: bool = False) -> str | None:
    return None if value is None else str(resolve_output(context, value, folder=folder))


def _shown(value: str) -> str:
    """The path for a message: short, on one line."""
    text = _CONTROL.sub("?", value)
    return f"'{text if len(text) <= 200 else text[:199] + '…'}'"
