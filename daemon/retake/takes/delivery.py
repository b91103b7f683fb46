"""Takes brought to where the user wants them, without harming what lies there."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.take import Take, TakeFiles
from retake.media.files import atomic, atomic_json
from retake.media.probe import tags
from retake.takes.finish import CLIP_TAG, files_in, timeline_is_ours, write_timeline

# Parts of the home folder that Retake alone writes: a file put there would be taken for one of its own.
_OWN_FOLDERS = ("takes", "speakers", "cache", "models")


def deliver(take: Take, output: Path) -> Take:
    """Copy a stored take to `output` (the clip) and beside it. Returns the take as delivered.

    Report and timeline of the copy name the request of `take`, which may be another line with the same words, and the timeline points to the copy.
    """
    files = _files_at(output)
    moved = take.model_copy(update={"files": files})
    # The report comes first: should this be interrupted, it tells the next run that what lies here is Retake's own.
    atomic_json(Path(files.report), {**stored_report(take), "request": take.request.model_dump(mode="json")})
    for name in ("captions", "poster", "clip"):
        with atomic(Path(getattr(files, name))) as part:
            shutil.copyfile(getattr(take.files, name), part)
    write_timeline(Path(files.timeline), moved)
    return moved


def check_target(output: Path, home: Path, *, audio: str | None = None) -> None:
    """Raise RetakeError, before any work is done, unless a take can be delivered to `output` without harming anything.

    An earlier take at this place is replaced. Anything else of the same name stays: the clip is named by the user, but the four files beside it
    are not, and footage lost to a slip of the keyboard is lost.

    Args:
        audio: path of the recording that the take is made from, if any.
    """
    output = output.absolute()
    if output.is_dir():
        raise RetakeError(f"{output} is a folder.", "Name the clip, for example out.mp4.", code="bad_output")
    if output.suffix.lower() != ".mp4":
        raise RetakeError(
            f"'{output.name}' does not end in .mp4.", "Takes are written as MP4: name the clip, for example out.mp4.", code="bad_output"
        )
    if audio is not None and output.resolve() == Path(audio).resolve():
        raise RetakeError(f"{output} is the recording that the take is made from.", "Name another clip with -o.", code="bad_output")
    _check_folder(output.parent, home)
    foreign = _foreign(output)
    if foreign:
        raise RetakeError(
            f"{', '.join(path.name for path in foreign)} in {output.parent} would be overwritten, and is no take of Retake's.",
            "Choose another name with -o, or move it away.",
            code="would_overwrite",
        )


def check_target_folder(folder: Path, home: Path) -> None:
    """Raise RetakeError unless `folder` can take a script's takes; it need not exist if the folder around it does."""
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise RetakeError(f"{folder} is not a folder.", "A script's takes need a folder: give another one with -o.", code="bad_output")
    _check_folder(folder if folder.exists() else folder.parent, home)
    timeline = script_timeline(folder)
    if timeline.exists() and not timeline_is_ours(timeline):
        raise RetakeError(
            f"{timeline} would be overwritten, and is not one of Retake's.", "Choose another folder with -o, or move it away.", code="would_overwrite"
        )


def script_timeline(folder: Path) -> Path:
    """Where the timeline of a script lies that is delivered to `folder`."""
    return folder / "script.otio"


def prepare_folder(folder: Path, home: Path) -> None:
    """Create the folder for a script's takes; raises RetakeError where that is impossible."""
    check_target_folder(folder, home)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error) from error


def _files_at(output: Path) -> TakeFiles:
    """Paths of a take's files where the clip is `output`, absolute; the clip keeps its suffix as the user wrote it (.MP4)."""
    output = output.absolute()
    return files_in(output.parent, output.stem).model_copy(update={"clip": str(output)})


def stored_report(take: Take) -> dict[str, Any]:
    """The report of a stored take; raises RetakeError (bad_take_record) where it is damaged."""
    try:
        return json.loads(Path(take.files.report).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RetakeError(
            f"The stored take {take.id} is damaged ({error}).",
            f"Delete it with 'retake takes delete {take.id}' and render the line again.",
            kind=ErrorKind.ENVIRONMENT,
            code="bad_take_record",
        ) from error


def _foreign(output: Path) -> list[Path]:
    """Files that a delivery to `output` would replace, unless they are an earlier take's."""
    files = _files_at(output)
    there = [path for path in map(Path, files.model_dump().values()) if path.exists()]
    if output.exists():
        return [] if _is_take(output) else [output]
    return [] if _is_report(Path(files.report)) else there


def _is_take(clip: Path) -> bool:
    try:
        return CLIP_TAG in tags(clip)
    except RetakeError:
        return False


def _is_report(path: Path) -> bool:
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and {"take", "synthetic", "request"} <= record.keys()


def _check_folder(folder: Path, home: Path) -> None:
    if not folder.is_dir():
        raise RetakeError(
            f"The folder {folder} does not exist.", "Make it first, or choose another place.", kind=ErrorKind.NOT_FOUND, code="no_output_folder"
        )
    if any(folder.resolve().is_relative_to((home / own).resolve()) for own in _OWN_FOLDERS):
        raise RetakeError(f"{folder} belongs to Retake's own store.", "Choose another place with -o.", code="bad_output")
    try:
        # Asking the system (os.access) lies on Windows and on network drives, so a file is made.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".retake-"):
            return
    except OSError as error:
        raise _not_writable(folder, error) from error


def _not_writable(folder: Path, error: OSError) -> RetakeError:
    return RetakeError(
        f"{folder} cannot be written ({error.strerror or error}).", "Choose another place with -o.", kind=ErrorKind.ENVIRONMENT, code="not_writable"
    )
