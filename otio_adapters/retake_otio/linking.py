"""Media linker: opening a timeline through it puts the daemon's takes into the places of its lines.

    otioconvert -i cut.retake.md -o cut.otio -m retake_linker -M render=True -M wait=True

Arguments (all may be left out): daemon (address), token, home (Retake's folder, which says where the daemon is), folder (where takes that lie on
another machine are downloaded to), paths ("/mnt/retake = Z:\\retake"), speaker and seed (of lines that name none), render (start what is missing),
wait (for it), timeout (seconds to wait), strict (raise instead of warning).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import opentimelineio as otio

from retake_client import Client, ClientError, Connection, default_home
from retake_client.local_takes import LocalTake, bring
from retake_client.paths import PathMap
from retake_otio.filling import Filling, fill_lines
from retake_otio.lines import Line, find_lines
from retake_otio.reading import TimelineError
from retake_otio.requests import conform_of, is_asked_for, request_of
from retake_otio.sound import is_take
from retake_otio.spans import local_path
from retake_otio.timeline import TakeMedia
from retake_otio.words import own_of

NAME = "otio media linker"
PAGE = 100


class RetakeWarning(UserWarning):
    """Something that was left as it is, and why."""


@dataclass(frozen=True)
class Options:
    """The arguments of the linker. timeout: seconds for each line."""

    daemon: str = ""
    token: str = ""
    home: str = ""
    folder: str = ""
    paths: str = ""
    speaker: str = ""
    seed: int = 0
    render: bool = False
    wait: bool = False
    timeout: float = 3600.0
    strict: bool = False

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Options:
        """Raises TimelineError (bad_option) naming what there is."""
        known = cls.__dataclass_fields__
        values: dict[str, Any] = {}
        for name, value in arguments.items():
            default = known[name].default if name in known else None
            if default is None:
                raise TimelineError(f"The linker knows no argument '{name}'.", f"Arguments: {', '.join(known)}.", "bad_option")
            good = isinstance(value, bool) if isinstance(default, bool) else isinstance(value, int | float | str) and not isinstance(value, bool)
            if not good or (isinstance(default, int | float) and isinstance(value, str)) or (isinstance(default, str) and not isinstance(value, str)):
                raise TimelineError(f"{name}={value!r} is not understood.", f"Write it as {name}={default!r}.", "bad_option")
            values[name] = value
        return cls(**values)


def link_media_reference(in_clip: otio.schema.Clip, media_linker_argument_map: Mapping[str, Any]) -> otio.core.MediaReference | None:
    """What OpenTimelineIO calls for every clip. The whole timeline is linked with its first clip, so that the daemon is asked once.

    Returns the reference that the clip shows then, which the library makes the active one; None: as it was.
    """
    top = in_clip
    while (parent := top.parent()) is not None:
        top = parent
    if isinstance(top, otio.schema.Stack):
        if next(iter(top.find_clips()), None) is not in_clip:
            return None
        timeline = otio.schema.Timeline()
        timeline.tracks = top
    else:
        return None  # a clip or track of no timeline has no place to be filled
    link(timeline, Options.read(media_linker_argument_map))
    return in_clip.media_reference


def link(timeline: otio.schema.Timeline, options: Options) -> list[str]:
    """Fill the lines of `timeline` from the daemon's takes, and fetch takes that it names and that this machine does not have.

    Returns what people should know, which is also warned of. Raises TimelineError where `strict` is set, and for arguments that cannot be used.
    """
    try:
        refused: list[TimelineError] = []
        lines = find_lines(timeline, refused=None if options.strict else refused)
        away = [clip for clip in timeline.find_clips() if is_take(clip) and not _is_here(clip)]
        waiting = [line for line in lines if line.state == "missing"]
        said = [f"{error.cause} {error.remedy} It stays as it is." for error in refused]
        if waiting or away:
            client = _client(options)
            client.handshake()
            said += [note for clip in away for note in _fetch(client, clip, options)]
            fillings, told = _fillings(client, waiting, options)
            said += told + [str(note) for note in fill_lines(timeline, lines, fillings)]
    except (ClientError, TimelineError) as error:
        if options.strict or (isinstance(error, TimelineError) and error.code == "bad_option"):
            raise _as_timeline_error(error) from error
        said = [f"The timeline stays as it is. {error.cause} {error.remedy}"]
    except OSError as error:
        if options.strict:
            raise TimelineError(f"Takes cannot be put into place ({error.strerror or error}).", "Choose another folder.", "not_writable") from error
        said = [f"The timeline stays as it is: {error.strerror or error}."]
    for note in said:
        warnings.warn(note, RetakeWarning, stacklevel=2)
    return said


def _client(options: Options) -> Client:
    home = options.home or None
    if not options.daemon:
        return Client.local(home, name=NAME)
    token = options.token or Connection.find(home).token
    return Client(Connection(options.daemon, token), name=NAME)


def _fillings(client: Client, lines: list[Line], options: Options) -> tuple[dict[str, Filling], list[str]]:
    """Takes for lines, those that are there and, if asked to, those that are rendered now; and what there is to say of the others."""
    out: dict[str, Filling] = {}
    said: list[str] = []
    jobs: list[tuple[Line, dict[str, Any], dict[str, Any]]] = []
    for line in lines:
        try:
            request = _wish(line, options)
        except TimelineError as error:
            if options.strict:
                raise TimelineError(f"{line.label}: {error.cause}", error.remedy, error.code) from error
            said.append(f"{line.label} stays as it is: {error.cause} {error.remedy}")
            continue
        if request is None:
            said.append(f"{line.label} stays as it is: it is not said who speaks, or it asks for a recording.")
            continue
        take = next(_matching(client, line, request), None)
        if take is not None:
            wish = request | {name: take["request"][name] for name in ("handles",) if take["request"].get(name)}
            out[line.key] = _filling(line, wish, bring(client, str(take["id"]), _folder(options), paths=PathMap.parse(options.paths)))
        elif options.render:
            jobs.append((line, request, _asked(client, line, request)))
        else:
            said.append(f"{line.label} has no take yet: open the timeline with render=True, or fill it.")
    for line, request, job in jobs:
        if not options.wait:
            said.append(f"{line.label} is being rendered (job {job['id']}): open the timeline again when it is done.")
            continue
        done = client.wait(str(job["id"]), seconds=options.timeout)
        if done["state"] != "succeeded":
            error = done.get("error") or {}
            cause = f"{error.get('cause', 'The job was cancelled.')} {error.get('remedy', '')}".strip()
            if options.strict:
                raise TimelineError(
                    f"{line.label}: {error.get('cause', 'The job was cancelled.')}", str(error.get("remedy", "Ask again.")), "not_rendered"
                )
            said.append(f"{line.label} stays as it is: {cause}")
            continue
        found = bring(client, _take_of(done), _folder(options), paths=PathMap.parse(options.paths))
        out[line.key] = _filling(line, request, found)
    return out, said


def _wish(line: Line, options: Options) -> dict[str, Any] | None:
    """What to ask of the daemon for a line, as JSON; None for one that cannot be asked for from here."""
    if not line.wants.get("text") or line.wants.get("audio") or not (line.wants.get("speaker") or options.speaker):
        return None
    return request_of(line, speaker=options.speaker, seed=options.seed)


def _matching(client: Client, line: Line, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The daemon's takes that are what the line asks for, newest first."""
    cursor: str | None = ""
    while cursor is not None:
        query = {"speaker": request["speaker"], "text": request["text"], "limit": PAGE, **({"cursor": cursor} if cursor else {})}
        page = client.call("GET", f"/v1/takes?{urlencode(query)}")
        for take in page["takes"]:
            if is_asked_for(take, line, request):
                yield take
        cursor = page["next"]


def _asked(client: Client, line: Line, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job that renders the line: the same one when the timeline is opened again; one that failed is tried once more."""
    content = json.dumps(request, sort_keys=True, ensure_ascii=False)
    key = f"linker-{hashlib.sha256(content.encode()).hexdigest()[:40]}"
    job = client.submit({"kind": "line", "request": dict(request)}, key=key, label=line.label[:200])
    return client.retry(str(job["id"])) if job["state"] in {"failed", "cancelled"} else job


def _take_of(job: Mapping[str, Any]) -> str:
    takes = (job.get("result") or {}).get("takes") or []
    if not takes:
        raise TimelineError("The daemon made no take.", "Look at the job in its log.", "not_rendered")
    return str(takes[0])


def _filling(line: Line, request: Mapping[str, Any], found: LocalTake) -> Filling:
    media = TakeMedia(found.id, Path(found.path), found.frames, found.rate, {"synthetic": True}, handles=int(request.get("handles", 0)))
    parameters = {name: value for name, value in request.items() if name != "line_id"}
    return Filling(media, line.id, parameters, conform_of(line))


def _fetch(client: Client, clip: otio.schema.Clip, options: Options) -> list[str]:
    """The take that a clip shows, onto this machine."""
    reference = clip.media_reference
    take = str(own_of(reference).get("take"))
    try:
        found = bring(client, take, _folder(options), paths=PathMap.parse(options.paths))
    except ClientError as error:
        if options.strict or error.code not in {"unknown_take", "bad_name"}:
            raise
        return [f"Clip '{clip.name}': its take {take} is neither here nor with the daemon."]
    reference.target_url = Path(found.path).as_posix()  # pyright: ignore[reportAttributeAccessIssue] - is_take said so
    return []


def _is_here(clip: otio.schema.Clip) -> bool:
    reference = clip.media_reference
    return isinstance(reference, otio.schema.ExternalReference) and Path(local_path(reference.target_url)).is_file()


def _folder(options: Options) -> Path:
    return Path(options.folder) if options.folder else default_home() / "linked"


def _as_timeline_error(error: ClientError | TimelineError) -> TimelineError:
    return error if isinstance(error, TimelineError) else TimelineError(error.cause, error.remedy, error.code)
