"""Which clips ask for a line, what they say about it, and what filling one changes (nothing but its media)."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from retake_otio import GENERATOR_KEY, GENERATOR_KIND, TakeMedia, TimelineError, fill_placeholder, find_placeholders, read_timeline, write_timeline

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange


def span(start: float, frames: float, rate: float = 25.0) -> otio.opentime.TimeRange:
    return Range(Time(start, rate), Time(frames, rate))


def clip(name: str = "slate", start: float = 0, frames: float = 50, rate: float = 25.0, **retake: Any) -> otio.schema.Clip:
    return otio.schema.Clip(name, source_range=span(start, frames, rate), metadata={"retake": retake} if retake else {})


def generator(**parameters: Any) -> otio.schema.GeneratorReference:
    return otio.schema.GeneratorReference(generator_kind=GENERATOR_KIND, parameters=parameters, available_range=span(0, 50))


def marked(target: otio.schema.Clip, **retake: Any) -> otio.schema.Clip:
    target.markers.append(otio.schema.Marker("line", marked_range=span(5, 0), metadata={"retake": retake}))
    return target


def timeline(*items: otio.core.Composable) -> otio.schema.Timeline:
    made = otio.schema.Timeline("edit")
    made.tracks.append(otio.schema.Track("V1", children=list(items)))
    return made


def take(identifier: str = "a", frames: int = 50, rate: Fraction = Fraction(25)) -> TakeMedia:
    return TakeMedia(identifier, Path(f"/takes/{identifier}.mp4"), frames, rate)


def only(made: otio.schema.Timeline) -> dict[str, str | int]:
    (found,) = find_placeholders(made)
    return found.wants


@pytest.mark.parametrize("where", ["metadata", "metadata and colour bars", "generator", "generator under its key", "marker", "marker on footage"])
def test_what_asks_for_a_line(where: str) -> None:
    asked = {"text": "Hello.", "speaker": "anna", "seed": 3}
    made = clip(**asked) if where.startswith("metadata") else clip()
    if where.endswith("bars"):
        made.media_reference = otio.schema.GeneratorReference(generator_kind="SMPTEBars", available_range=span(0, 100))
    elif where == "generator":
        made.media_reference = generator(**asked, fit=None, fps="24", other=[1])
    elif where == "generator under its key":
        made.set_media_references({GENERATOR_KEY: generator(**asked), "take_x": otio.schema.ExternalReference("/x.mp4", span(0, 50))}, "take_x")
    elif where.startswith("marker"):
        if where.endswith("footage"):
            made.media_reference = otio.schema.ExternalReference("/x.mov", span(0, 500))
        marked(made, **asked)
    assert only(timeline(clip("other"), made)) == asked


def test_clips_that_ask_for_nothing() -> None:
    footage = clip(text="Hello.")
    footage.media_reference = otio.schema.ExternalReference("/x.mov", span(0, 500))
    bars = clip()
    bars.media_reference = otio.schema.GeneratorReference(generator_kind="SMPTEBars", available_range=span(0, 100))
    strange = clip()
    strange.metadata["retake"] = "Hello."
    for quiet in (clip(), clip(speaker="anna"), footage, bars, strange, marked(clip(), note="x")):
        with pytest.raises(TimelineError) as caught:
            find_placeholders(timeline(quiet))
        assert caught.value.code == "no_placeholders"
        assert '{"retake": {"text":' in caught.value.remedy


def test_markers_count_more_than_clips_and_clips_more_than_generators() -> None:
    made = clip(text="clip", style="clip", seed=2)
    made.media_reference = generator(text="generator", speaker="generator", seed=1, style="generator", width=None)
    assert only(timeline(marked(made, text="marker"))) == {"text": "marker", "style": "clip", "seed": 2, "speaker": "generator"}


@pytest.mark.parametrize(("rate", "exact"), [(23.976, "24000/1001"), (23.98, "24000/1001"), (29.97, "30000/1001"), (25.0, "25"), (12.5, "25/2"),
                                             (59.94005994005994, "60000/1001"), (12.0, "12"), (24.0, "24"), (120.0, "120")])  # fmt: skip
def test_rates_are_exact(rate: float, exact: str) -> None:
    (found,) = find_placeholders(timeline(clip(rate=rate, text="Hi.")))
    assert found.rate == Fraction(exact)
    assert found.frames == 50


@pytest.mark.parametrize(
    ("frames", "rate"), [(0, 25), (-5, 25), (10.5, 25), (float("nan"), 25), (float("inf"), 25), (50, 0), (50, 48000), (50, float("nan")), (50, -25)]
)
def test_lengths_that_no_take_can_have(frames: float, rate: float) -> None:
    with pytest.raises(TimelineError) as caught:
        find_placeholders(timeline(clip("intro", frames=frames, rate=rate, text="Hi.")))
    assert caught.value.code == "bad_placeholder"
    assert "'intro'" in caught.value.cause


def test_a_clip_without_any_duration_is_named() -> None:
    made = otio.schema.Clip(metadata={"retake": {"text": "Hi."}})
    with pytest.raises(TimelineError, match="Clip 2 has no duration"):
        find_placeholders(timeline(clip(), made))


def test_the_length_may_come_from_the_media() -> None:
    made = otio.schema.Clip("x", media_reference=generator(text="Hi."))
    (found,) = find_placeholders(timeline(made))
    assert found.frames == 50


@pytest.mark.parametrize(
    "wrong", [{"text": 5}, {"text": ["a"]}, {"text": "a", "seed": "1"}, {"text": "a", "seed": True}, {"text": "a", "width": 1.5}]
)
def test_values_of_another_type_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(TimelineError, match=r"'slate': '(text|seed|width)' is no") as caught:
        find_placeholders(timeline(clip(**wrong)))
    assert caught.value.code == "bad_placeholder"


def test_more_than_one_line_a_clip_is_refused() -> None:
    with pytest.raises(TimelineError, match="2 markers"):
        find_placeholders(timeline(marked(marked(clip(), text="One."), text="Two.")))


@pytest.mark.parametrize("scalar", [0.0, 2.0, -1.0])
def test_a_change_of_speed_is_refused(scalar: float) -> None:
    made = clip(text="Hi.")
    made.effects.append(otio.schema.LinearTimeWarp(time_scalar=scalar))
    with pytest.raises(TimelineError, match="another speed"):
        find_placeholders(timeline(made))


def test_mixed_rates_are_refused() -> None:
    mixed = [timeline(clip(text="a", rate=24.0), clip(text="b", rate=25.0)), timeline(clip(text="a", rate=24.0), clip("footage", rate=23.976))]
    for made in mixed:
        with pytest.raises(TimelineError) as caught:
            find_placeholders(made)
        assert caught.value.code == "mixed_rates"
    one = timeline(clip(text="a", rate=23.976), clip("footage", rate=24000 / 1001), otio.schema.Gap(source_range=span(0, 5, 23.98)))
    one.tracks.append(otio.schema.Track("A1", kind="Audio", children=[clip("sound", frames=96000, rate=48000.0)]))
    assert len(find_placeholders(one)) == 1


def test_a_newer_convention_is_refused() -> None:
    with pytest.raises(TimelineError) as caught:
        find_placeholders(timeline(clip(text="Hi.", format=99)))
    assert caught.value.code == "newer_timeline"


def test_filling_changes_nothing_but_the_media(tmp_path: Path) -> None:
    before, after = clip("before"), clip("after")
    slate = marked(clip("slate", start=86400, frames=50, text="Hi.", speaker="anna", mine=[1, {"a": 2}]), note="stress")
    slate.media_reference = otio.schema.MissingReference("slate", available_range=span(86390, 100))
    slate.markers[0].marked_range = span(86410, 3)
    slate.effects.append(otio.schema.Effect("look", "LUT"))
    slate.metadata["other"] = {"x": 1}
    inner = otio.schema.Stack("compound", children=[otio.schema.Track("inner", children=[clip("deep", text="Deep.", speaker="anna")])])
    dissolve = otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=Time(3, 25), out_offset=Time(3, 25))
    made = timeline(before, dissolve, slate, after, inner)
    untouched = [otio.adapters.write_to_string(item, adapter_name="otio_json") for item in (before, after, dissolve)]
    length, place = made.duration(), slate.range_in_parent()
    first, second = find_placeholders(made)
    fill_placeholder(first, take("a"), line="line1", parameters={"text": "Hi.", "speaker": "anna", "fit": 2.0})
    fill_placeholder(second, take("b"), line="line2", parameters={"text": "Deep."})
    path = tmp_path / "filled.otio"
    write_timeline(path, made)
    back = read_timeline(path)
    assert back.is_equivalent_to(made)
    assert back.duration() == length
    assert [otio.adapters.write_to_string(item, adapter_name="otio_json") for item in (before, after, dissolve)] == untouched
    filled = next(found for found in back.find_clips() if found.name == "slate")
    assert filled.range_in_parent() == place
    assert filled.source_range == span(0, 50)
    assert filled.markers[0].marked_range == span(10, 3)
    assert filled.effects[0].name == "look"
    assert filled.metadata["other"] == {"x": 1}
    own = json.loads(otio.adapters.write_to_string(filled, adapter_name="otio_json"))["metadata"]["retake"]
    assert own == {"text": "Hi.", "speaker": "anna", "mine": [1, {"a": 2}], "format": 1, "line": "line1"}
    assert filled.active_media_reference_key == "take_a"
    assert isinstance(filled.media_reference, otio.schema.ExternalReference)
    assert filled.media_reference.target_url == "/takes/a.mp4"
    assert filled.media_reference.available_range == span(0, 50)
    assert set(filled.media_references()) == {"DEFAULT_MEDIA", GENERATOR_KEY, "take_a"}
    deep = next(found for found in back.find_clips() if found.name == "deep")
    assert deep.active_media_reference_key == "take_b"


def test_filling_again_keeps_earlier_takes(tmp_path: Path) -> None:
    made = clip()
    made.media_reference = generator(text="Hi.", mine="stays")
    edit = timeline(made)
    for identifier in ("a", "b", "b"):
        (found,) = find_placeholders(edit)
        fill_placeholder(found, take(identifier), line="line1", parameters={"text": "Hi.", "seed": 1})
    (found,) = find_placeholders(edit)
    references = found.clip.media_references()
    assert set(references) == {GENERATOR_KEY, "take_a", "take_b"}
    assert dict(references[GENERATOR_KEY].parameters) == {"text": "Hi.", "seed": 1, "mine": "stays"}
    assert found.clip.active_media_reference_key == "take_b"
    assert found.line == "line1"


def test_a_take_of_another_length_is_refused() -> None:
    edit = timeline(clip(text="Hi."))
    (found,) = find_placeholders(edit)
    for wrong in (take(frames=49), take(rate=Fraction(24))):
        with pytest.raises(TimelineError) as caught:
            fill_placeholder(found, wrong, line="x", parameters={})
        assert caught.value.code == "take_does_not_match"
