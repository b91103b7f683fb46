"""Timelines with all their media in one file (.otioz)."""

from __future__ import annotations

import copy
import shutil
import tempfile
import zipfile
from pathlib import Path

import opentimelineio as otio

from .checks import refuse
from .reading import LARGEST, TimelineError, read_timeline
from .spans import local_path

CONTENT = "content.otio"
MEDIA = "media"


def write_bundle(timeline: otio.schema.Timeline, path: Path) -> None:
    """Write `timeline` and every file that its clips show or could show (all takes) to `path`.

    The library's own adapter takes the shown media alone, and refuses two files of one name; here each gets a name of its own. Takes that are not
    there any more and are not shown keep their path. Raises TimelineError (missing_media, relative_path, ...), OSError.
    """
    refuse(timeline, "otioz")
    out = copy.deepcopy(timeline)
    names: dict[str, str] = {}
    for clip in out.find_clips():
        references = clip.media_references()
        for reference in references.values():
            if isinstance(reference, otio.schema.ExternalReference) and Path(local_path(reference.target_url)).is_file():
                reference.target_url = f"{MEDIA}/{_name(local_path(reference.target_url), names)}"
        clip.set_media_references(references, clip.active_media_reference_key)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("version.txt", "1.0.0", zipfile.ZIP_DEFLATED)
        text = otio.adapters.write_to_string(out, adapter_name="otio_json", indent=2)
        bundle.writestr(CONTENT, text, zipfile.ZIP_DEFLATED)
        for file, name in names.items():
            bundle.write(file, f"{MEDIA}/{name}")


def read_bundle(path: Path, folder: Path | None = None) -> otio.schema.Timeline:
    """Read the timeline of a bundle; its media have the paths that they have in the bundle, or with `folder` those of the files put there.

    Args:
        folder: is made; files of the same name in it are replaced.

    Raises TimelineError (bad_timeline), OSError.
    """
    try:
        with zipfile.ZipFile(path) as bundle, tempfile.TemporaryDirectory(prefix="retake-") as temporary:
            if bundle.getinfo(CONTENT).file_size > LARGEST:
                raise TimelineError(f"{path.name} holds a timeline of more than {LARGEST // 1024**2} MB.", "Split it.", "timeline_too_large")
            timeline = read_timeline(Path(bundle.extract(CONTENT, temporary)))
            if folder is not None:
                _extract(bundle, timeline, folder)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:  # no zip, nothing in it, packed or locked in a strange way
        raise TimelineError(f"{path.name} is no OpenTimelineIO bundle.", "Export it again as .otioz.", "bad_timeline") from error
    return timeline


def _extract(bundle: zipfile.ZipFile, timeline: otio.schema.Timeline, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    there = set(bundle.namelist())
    for clip in timeline.find_clips():
        references = clip.media_references()
        for reference in references.values():
            name = reference.target_url if isinstance(reference, otio.schema.ExternalReference) else ""
            if name not in there or Path(name).parent != Path(MEDIA):
                continue
            target = folder.absolute() / Path(name).name  # never a path from the bundle
            with bundle.open(name) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            reference.target_url = target.as_posix()  # pyright: ignore[reportAttributeAccessIssue] - it has a name, so it is one
        clip.set_media_references(references, clip.active_media_reference_key)


def _name(file: str, names: dict[str, str]) -> str:
    if file not in names:
        wanted = Path(file).name
        taken = {name.casefold() for name in names.values()}
        number, name = 1, wanted
        while name.casefold() in taken:
            number += 1
            name = f"{Path(wanted).stem}-{number}{Path(wanted).suffix}"
        names[file] = name
    return names[file]
