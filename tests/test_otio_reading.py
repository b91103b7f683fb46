"""Files that are no timelines, or that would take the reading library down with them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import opentimelineio as otio
import pytest

from retake_otio import TimelineError, read_timeline
from retake_otio.reading import LARGEST

EMPTY = {"OTIO_SCHEMA": "Timeline.1", "metadata": {}, "name": "", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": []}}
DEEP = 100_000


def stack(*children: object, **more: object) -> dict[str, object]:
    return {**EMPTY, "tracks": {"OTIO_SCHEMA": "Stack.1", "children": list(children), **more}}


def nested(levels: int) -> str:
    return json.dumps(EMPTY).replace('"metadata": {}', '"metadata": ' + '{"a":' * levels + "1" + "}" * levels)


HOSTILE = {
    "no json": "timeline",
    "empty": "",
    "text": '"Timeline.1"',
    "list": "[]",
    "cut off": json.dumps(EMPTY)[:-5],
    "other schema": json.dumps({"OTIO_SCHEMA": "SerializableCollection.1", "children": []}),
    "no schema": "{}",
    "schema of numbers": json.dumps({**EMPTY, "OTIO_SCHEMA": 5}),
    "newer timeline": json.dumps({**EMPTY, "OTIO_SCHEMA": "Timeline.99"}),
    "unknown child": json.dumps(stack({"OTIO_SCHEMA": "Foo.1"})),
    "missing child": json.dumps(stack(None)),
    "child of another kind": json.dumps(stack({"OTIO_SCHEMA": "Marker.2"})),
    "no tracks": json.dumps({**EMPTY, "tracks": None}),
    "tracks are a track": json.dumps({**EMPTY, "tracks": {"OTIO_SCHEMA": "Track.1", "children": []}}),
    "a stack in itself": json.dumps(stack({"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "S-1"}, OTIO_REF_ID="S-1")),
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep metadata": nested(DEEP),
    "rather deep metadata": nested(400),
    "half a character": '{"OTIO_SCHEMA": "Timeline.1", "name": "\\ud800"}',
    "two schemas": '{"OTIO_SCHEMA":"Clip.1",' + json.dumps(EMPTY)[1:],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_timeline_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "edit.otio"
    path.write_text(HOSTILE[name], encoding="utf-8")
    try:
        found = read_timeline(path)
    except TimelineError as error:
        assert error.code == "bad_timeline"
        assert error.cause.startswith("edit.otio")
        assert len(error.cause) < 400
    else:
        assert name == "two schemas"  # the last one counts, and is right
        assert isinstance(found, otio.schema.Timeline)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "edit.otio"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(TimelineError):
        read_timeline(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "edit.otio"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(TimelineError) as caught:
        read_timeline(path)
    assert caught.value.code == "timeline_too_large"


def test_nested_timelines_that_people_make_are_read(tmp_path: Path) -> None:
    inner: dict[str, object] = {"OTIO_SCHEMA": "Stack.1", "children": []}
    for _ in range(40):
        inner = {"OTIO_SCHEMA": "Stack.1", "children": [{"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": [inner]}]}
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps(stack(inner)), encoding="utf-8")
    assert isinstance(read_timeline(path), otio.schema.Timeline)


def test_unknown_metadata_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "edit.otio"
    path.write_text(json.dumps({**EMPTY, "metadata": {"x": {"OTIO_SCHEMA": "Somebodys.7", "a": 1}}}), encoding="utf-8")
    assert '"Somebodys.7"' in otio.adapters.write_to_string(read_timeline(path), adapter_name="otio_json")


def test_damaged_timelines_are_read_or_refused(tmp_path: Path) -> None:
    """Flipped characters in a good timeline: nothing else may come out of reading one, and nothing may crash."""
    good = otio.schema.Timeline("edit")
    track = otio.schema.Track("V1")
    good.tracks.append(track)
    for number in range(3):
        span = otio.opentime.TimeRange(otio.opentime.RationalTime(0, 25), otio.opentime.RationalTime(50, 25))
        track.append(otio.schema.Clip(f"clip {number}", source_range=span, metadata={"retake": {"text": "Hello."}}))
    text = otio.adapters.write_to_string(good, adapter_name="otio_json", indent=0)
    chance = random.Random(3)
    path = tmp_path / "edit.otio"
    refused = 0
    for _ in range(300):
        content = list(text)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.choice('{}[]",:0123456789.-eTfn\\ ')
        path.write_text("".join(content), encoding="utf-8")
        try:
            list(read_timeline(path).find_clips())
        except TimelineError:
            refused += 1
    assert 50 < refused < 300
