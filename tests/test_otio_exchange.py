"""What survives the way through each format: exact for those of editors, said in docs/interchange.md for all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest
from exchange_samples import Range, Time, edit, placeholder, span

from retake_otio import GENERATOR_KEY, TimelineError, find_lines, srt_adapter
from retake_otio.bundle import read_bundle
from retake_otio.exchange import ENDINGS, format_of, read_any, write_any
from retake_otio.resolve_profile import for_resolve
from retake_otio.spans import layout
from retake_otio.words import line_of, words_of

ROOT = Path(__file__).resolve().parent.parent
RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(48), Fraction(60000, 1001), Fraction(60)]
WAYS = {".otio": None, "Resolve .otio": "resolve", ".otioz": None, "FCP7 .xml": None, ".fcpxml": None, ".retake.md": None, ".srt": None}


def through(timeline: otio.schema.Timeline, way: str, folder: Path) -> otio.schema.Timeline:
    """Write, read."""
    path = folder / f"through{way.rsplit(maxsplit=1)[-1]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_any(timeline, path, WAYS[way])
    if way == ".otioz":
        return read_bundle(path, folder / "media")
    if way == ".srt":  # the edit has two lines at one time
        return srt_adapter.read_from_string(path.read_text(encoding="utf-8"), rate="30000/1001", overlaps="track")
    return read_any(path)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("way", [".otio", "Resolve .otio", "FCP7 .xml", ".fcpxml"])
def test_formats_of_editors_give_the_very_same_timeline(way: str, rate: Fraction, tmp_path: Path) -> None:
    before = edit(tmp_path, rate)
    text = before.to_json_string()
    assert through(before, way, tmp_path).to_json_string() == text
    assert before.to_json_string() == text, "writing changed the timeline"


def dissolved(timeline: otio.schema.Timeline, before: int = 6, behind: int = 8) -> otio.schema.Timeline:
    """The same with a dissolve between the shown take and its neighbour, and one from nothing into the take."""
    track = timeline.tracks[0]
    rate = track[1].source_range.duration.rate
    track.insert(2, otio.schema.Transition("d", "SMPTE_Dissolve", Time(before, rate), Time(behind, rate), {"x": 1}))
    track.insert(1, otio.schema.Transition("in", "SMPTE_Dissolve", Time(0, rate), Time(5, rate)))
    return timeline


@pytest.mark.parametrize("offsets", [(6, 8), (5, 5), (7, 0), (0, 3), (1, 2)], ids=str)
@pytest.mark.parametrize("way", [".otio", "Resolve .otio", "FCP7 .xml"])
def test_dissolves_come_back_as_they_were(way: str, offsets: tuple[int, int], tmp_path: Path) -> None:
    before = dissolved(edit(tmp_path, Fraction(30000, 1001)), *offsets)
    assert through(before, way, tmp_path).to_json_string() == before.to_json_string()


def test_uneven_dissolves_are_said_and_an_editors_change_of_them_counts(tmp_path: Path) -> None:
    found = write_any(dissolved(edit(tmp_path)), tmp_path / "a.xml")
    assert any("lie evenly on their cut" in finding.cause for finding in found)
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    items = [(item.findtext("alignment"), item.findtext("start"), item.findtext("end")) for item in root.iter("transitionitem")]
    assert items[:2] == [("start-black", "29", "34"), ("center", "82", "96")]
    text = (
        (tmp_path / "a.xml").read_text(encoding="utf-8").replace("<start>82</start>", "<start>84</start>").replace("<end>96</end>", "<end>94</end>")
    )
    (tmp_path / "b.xml").write_text(text, encoding="utf-8")
    edited = read_any(tmp_path / "b.xml")
    changed = next(item for item in edited.tracks[0] if item.name == "d")
    assert (changed.in_offset.value, changed.out_offset.value) == (5, 5)


def filled(timeline: otio.schema.Timeline) -> otio.schema.Clip | None:
    return next(
        (clip for clip in timeline.find_clips() if clip.name.startswith("It's") and isinstance(clip.media_reference, otio.schema.ExternalReference)),
        None,
    )


def aspects() -> dict[str, Callable[[otio.schema.Timeline], object]]:
    """What is asked of both timelines, and must be the same."""
    return {
        "texts": lambda t: sorted(str(words_of(clip).get("text")) for clip in t.find_clips() if words_of(clip).get("text")),
        "speakers": lambda t: sorted(str(words_of(clip).get("speaker")) for clip in t.find_clips() if words_of(clip).get("text")),
        "line ids": lambda t: sorted(line_of(clip) or "" for clip in t.find_clips() if words_of(clip).get("text")),
        "places and lengths of lines": lambda t: sorted((line.start, line.frames) for line in find_lines(t) if line.marker is None),
        "frame rate 30000/1001": lambda t: {line.rate for line in find_lines(t)},
        "seed and other parameters": lambda t: sorted(str(words_of(clip).get("seed")) for clip in t.find_clips() if words_of(clip).get("text")),
        "placeholders": lambda t: sum(clip.active_media_reference_key == GENERATOR_KEY and line_of(clip) == "id-2" for clip in t.find_clips()),
        "the shown take": lambda t: (clip := filled(t)) and Path(getattr(clip.media_reference, "target_url", "")).name,
        "all takes": lambda t: (clip := filled(t)) and sorted(clip.media_references()),
        "handles (trim)": lambda t: (clip := filled(t)) and (clip.source_range, clip.media_reference.available_range),
        "footage of others": lambda t: [(c.source_range, c.media_reference.available_range) for c in t.find_clips() if c.name == "footage"],
        "markers of clips": lambda t: (clip := filled(t)) and [(m.name, m.comment, m.color, m.marked_range) for m in clip.markers],
        "lines in markers": lambda t: [(line.wants, line.line, line.start, line.frames) for line in find_lines(t) if line.marker is not None],
        "dissolves": lambda t: [(d.name, d.in_offset, d.out_offset) for d in t.find_children(descended_from_type=otio.schema.Transition)],
        "metadata of others": lambda t: (clip := filled(t)) and (str(clip.metadata.get("other")), str(t.metadata.get("keep"))),
        "start timecode": lambda t: t.global_start_time,
        "tracks": lambda t: [(track.name, track.kind) for track in t.tracks],
        "names": lambda t: (t.name, sorted(clip.name for clip in t.find_clips())),
    }


def table(folder: Path) -> str:
    """The table of docs/interchange.md."""
    rows = {name: [] for name in aspects()}
    for way in WAYS:
        place = folder / re.sub(r"\W", "", way)
        place.mkdir()
        before = dissolved(edit(place, Fraction(30000, 1001)))
        after = through(before, way, place)
        for name, look in aspects().items():
            rows[name].append("yes" if look(before) == look(after) else "-")
    lines = [f"| | {' | '.join(WAYS)} |", f"|---|{'---|' * len(WAYS)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(row)} |" for name, row in rows.items())])


def test_the_documented_table_is_what_happens(tmp_path: Path) -> None:
    made = table(tmp_path)
    assert made in (ROOT / "docs" / "interchange.md").read_text(encoding="utf-8"), f"docs/interchange.md must say:\n{made}"


@pytest.mark.parametrize(
    ("rate", "timebase", "ntsc"), [(Fraction(30000, 1001), "30", "TRUE"), (Fraction(24000, 1001), "24", "TRUE"), (Fraction(25), "25", "FALSE")]
)
def test_fcp7_says_rates_timecode_links_and_sound(rate: Fraction, timebase: str, ntsc: str, tmp_path: Path) -> None:
    timeline = edit(tmp_path, rate)
    timeline.metadata["retake"] = {"drop_frame": rate == Fraction(30000, 1001)}
    write_any(timeline, tmp_path / "a.xml")
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert {(found.findtext("timebase"), found.findtext("ntsc")) for found in root.iter("rate")} == {(timebase, ntsc)}
    expected = {"30": "01:00:03;18", "24": "00:59:56:10", "25": "01:00:00:00"}[timebase]
    shown = root.find(".//sequence/timecode")
    assert shown is not None and (shown.findtext("displayformat") == "DF") == (timebase == "30")
    assert shown.findtext("frame") == str(round(3600 * rate)) and (timebase != "25" or shown.findtext("string") == expected)
    items = {item.get("id"): item for item in root.iter("clipitem")}
    sounds = root.findall(".//audio/track/clipitem")
    assert len(sounds) == 2 and len(items) == 6, "two takes with their sounds, a placeholder and footage"
    for sound in sounds:
        linked = [link.findtext("linkclipref") for link in sound.findall("link")]
        assert len(linked) == 2 and sound.get("id") in linked and all(items[name].findtext("start") == sound.findtext("start") for name in linked)
    urls = {found.text for found in root.iter("pathurl")}
    assert all(url and url.startswith("file://localhost/") and " " not in url for url in urls)
    again = read_any(tmp_path / "a.xml")
    assert again.metadata["retake"]["drop_frame"] is (timebase == "30")


def test_fcpxml_says_exact_rates_and_start(tmp_path: Path) -> None:
    write_any(edit(tmp_path, Fraction(24000, 1001)), tmp_path / "a.fcpxml")
    root = ElementTree.parse(tmp_path / "a.fcpxml").getroot()
    assert {found.get("frameDuration") for found in root.iter("format")} == {"1001/24000s"}
    sequence = root.find(".//sequence")
    assert sequence is not None and Fraction((sequence.get("tcStart") or "").rstrip("s")) == round(3600 * Fraction(24000, 1001)) * Fraction(
        1001, 24000
    )
    assert all((asset.get("src") or "").startswith("file:///") for asset in root.iter("asset")) and "retake-1" not in ElementTree.tostring(
        root, "unicode"
    )
    for element in root.iter():
        for name in ("offset", "start", "duration"):
            if name in element.attrib:
                frames = Fraction(element.attrib[name].rstrip("s")) / Fraction(1001, 24000)
                assert frames.denominator == 1, f"{element.tag} {name} lies between frames"


def test_another_programs_files_are_read_too(tmp_path: Path) -> None:
    """Without anything that Retake carries: media, places, markers."""
    for ending in (".xml", ".fcpxml"):
        path = tmp_path / f"a{ending}"
        before = edit(tmp_path, Fraction(30000, 1001))
        write_any(before, path)
        text = re.sub(r"retake:\{[^<]*?(?=[<\"])|retake:\{.*?\}\"", "", path.read_text(encoding="utf-8"))
        root = ElementTree.fromstring(text.encode())
        for parent in list(root.iter()):
            for child in list(parent):
                if child.tag in {"comments", "metadata"}:
                    parent.remove(child)
        path.write_text(ElementTree.tostring(root, "unicode"), encoding="utf-8")
        after = read_any(path)
        wanted = [laid for laid in layout(before) if laid.media]
        assert [laid for laid in layout(after) if laid.media and laid.kind == "Video" and "placeholder" not in laid.media] == wanted
        assert any(line.wants.get("text") == "Later." for line in find_lines(after)), "the placeholder's marker still says what is to be said"


def test_the_resolve_profile_keeps_the_rules_of_the_import(tmp_path: Path) -> None:
    made = for_resolve(edit(tmp_path))
    stock = {"Timeline.1", "Stack.1", "Track.1", "Clip.2", "Gap.1", "ExternalReference.1", "Marker.2", "TimeRange.1", "RationalTime.1"}
    assert set(re.findall(r'"OTIO_SCHEMA": "(\w+\.\d+)"', made.to_json_string())) <= stock
    assert made.name != "cut ä" and made.name.startswith("cut ä") and made.global_start_time == Time(90000, 25)
    for clip in made.find_clips():
        (reference,) = clip.media_references().values()
        assert (
            isinstance(reference, otio.schema.ExternalReference) and Path(reference.target_url).is_absolute() and Path(reference.target_url).is_file()
        )
        assert reference.available_range is not None and clip.source_range is not None
        assert reference.available_range.start_time <= clip.source_range.start_time
    sounds = [clip for track in made.tracks if track.kind == "Audio" for clip in track.find_clips()]
    pictures = [clip for track in made.tracks if track.kind == "Video" for clip in track.find_clips() if "Resolve_OTIO" in clip.metadata]
    links = [[clip.metadata["Resolve_OTIO"]["Link Group ID"] for clip in clips] for clips in (pictures, sounds)]
    assert links[0] == links[1] == [1, 2]


def test_a_bundle_holds_every_take(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    timeline, again = edit(tmp_path), edit(other)
    (other / "täke b's.mp4").write_bytes(b"another file of that name")
    timeline.tracks.append(again.tracks[0].deepcopy())
    write_any(timeline, tmp_path / "a.otioz")
    read = read_bundle(tmp_path / "a.otioz", tmp_path / "out")
    contents = [Path(laid.media).read_bytes() for laid in layout(read) if laid.media]
    assert contents.count(b"another file of that name") == 1 and contents.count(b"b") == 2
    for clip in read.find_clips():
        for reference in clip.media_references().values():
            assert not isinstance(reference, otio.schema.ExternalReference) or Path(reference.target_url).is_file()
    assert not isinstance(otio.adapters.read_from_file(str(tmp_path / "a.otioz")), Exception)


def test_refused_with_clear_words(tmp_path: Path) -> None:
    def refused(timeline: otio.schema.Timeline, name: str, code: str, profile: str | None = None) -> str:
        with pytest.raises(TimelineError) as caught:
            write_any(timeline, tmp_path / name, profile)
        assert caught.value.code == code, caught.value
        assert not (tmp_path / name).exists()
        return caught.value.cause

    mixed = edit(tmp_path)
    mixed.tracks[0].append(placeholder("x", 24.0, text="Hi."))
    for name, profile in (("a.xml", None), ("a.fcpxml", None), ("a.otio", "resolve"), ("a.mlt", None), ("a.otioz", None)):
        assert "24, 25" in refused(mixed, name, "mixed_rates", profile)
    gone = edit(tmp_path)
    (tmp_path / "footage.mov").unlink()
    assert "footage" in refused(gone, "a.otio", "missing_media", "resolve")
    relative = edit(tmp_path)
    relative.tracks[0][3].media_reference.target_url = "footage.mov"
    refused(relative, "a.xml", "relative_path")
    fast = edit(tmp_path)
    fast.tracks[0][3].effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    refused(fast, "a.fcpxml", "speed")
    long = edit(tmp_path)
    long.tracks[0][3].source_range = span(86412, 400, 25)
    refused(long, "a.xml", "beyond_media")
    several = edit(tmp_path)
    several.tracks[0][3].media_reference.available_range = None
    (tmp_path / "täke b's.mp4").unlink()
    refused(several, "a.otio", "not_fit", "resolve")
    refused(edit(tmp_path), "a.edl", "bad_output")
    refused(edit(tmp_path), "a.otio", "bad_output", "premiere")
    refused(otio.schema.Timeline("empty"), "a.xml", "no_rate")


ENTITY = '<!DOCTYPE x [<!ENTITY a "b">]><xmeml>&a;</xmeml>'
NO_RATE = "<fcpxml><resources><format frameDuration='0s'/></resources></fcpxml>"


@pytest.mark.parametrize("text", ["", "<", "<a/>", "<xmeml><sequence/></xmeml>", "<fcpxml/>", "{}", ENTITY, NO_RATE])
def test_what_is_no_timeline_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    for ending in (".xml", ".fcpxml", ".otioz", ".otio"):
        (tmp_path / f"a{ending}").write_text(text, encoding="utf-8")
        with pytest.raises(TimelineError) as caught:
            read_any(tmp_path / f"a{ending}")
        assert caught.value.code in {"bad_timeline", "mixed_rates", "bad_srt"}


def test_formats_by_name() -> None:
    assert [format_of(f"A.B{ending}") for ending in ENDINGS] == list(ENDINGS.values()) and format_of("X.RETAKE.MD") == "script"
    assert Range(Time(0, 25), Time(1, 25)) == span(0, 1, 25)
