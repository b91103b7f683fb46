from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from retake_otio import GENERATOR_KEY, GENERATOR_KIND, TakeMedia, build_timeline, line_clip, line_id, line_parameters, read_timeline, write_timeline

NTSC = Fraction(30000, 1001)
ASKED = {"text": 'Hello, "Ünal" & Co.', "speaker": "anna", "seed": 7, "fit": None, "style": "neutral", "fps": "30000/1001"}


def take(folder: Path, name: str, frames: int = 101, rate: Fraction = NTSC) -> TakeMedia:
    return TakeMedia(name, folder / f"{name}.mp4", frames, rate, {"sha256": "0" * 64})


def clip(folder: Path, line: str = "line1", frames: int = 101, rate: Fraction = NTSC) -> otio.schema.Clip:
    return line_clip(line_id=line, name="Hello", parameters=ASKED, takes=[take(folder, f"{line}-a", frames, rate)])


def test_a_clip_knows_its_line_and_its_takes(tmp_path: Path) -> None:
    made = line_clip(line_id="line1", name="Hello", parameters=ASKED, takes=[take(tmp_path, "a"), take(tmp_path, "b", 90)], active="a")
    references = made.media_references()
    assert set(references) == {GENERATOR_KEY, "take_a", "take_b"}
    generator = references[GENERATOR_KEY]
    assert isinstance(generator, otio.schema.GeneratorReference)
    assert generator.generator_kind == GENERATOR_KIND == "retake.line"
    assert made.active_media_reference_key == "take_a"
    assert line_id(made) == "line1"
    assert line_parameters(made) == ASKED
    assert references["take_b"].available_range.duration.value == 90


@pytest.mark.parametrize("rate", [NTSC, Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001), Fraction(25, 2)], ids=str)
def test_round_trip_keeps_the_exact_rate(tmp_path: Path, rate: Fraction) -> None:
    # 53,946 frames: long enough for an error of the rate to show as whole frames.
    made = build_timeline("test", [clip(tmp_path, "one", 53946, rate), clip(tmp_path, "two", 33, rate)], {"script": "s"})
    path = tmp_path / "a b" / "täke.otio"
    path.parent.mkdir()
    write_timeline(path, made)
    back = read_timeline(path)
    assert back.is_equivalent_to(made)
    first, second = back.find_clips()
    assert Fraction(first.duration().rate).limit_denominator(1001) == rate
    assert first.duration().rate == float(rate)
    assert first.duration().value == 53946
    assert second.range_in_parent().start_time == otio.opentime.RationalTime(53946, float(rate))
    assert back.duration().to_frames() == 53979
    assert line_parameters(second) == ASKED


def test_the_media_is_found(tmp_path: Path) -> None:
    """Editors look for exactly the file that is named, also in folders with spaces."""
    folder = tmp_path / "my takes (1)"
    folder.mkdir()
    (folder / "line1-a.mp4").touch()
    reference = clip(folder).media_reference
    assert isinstance(reference, otio.schema.ExternalReference)
    assert Path(reference.target_url).is_absolute()
    assert Path(reference.target_url).is_file()
    assert Path(otio.url_utils.filepath_from_url(reference.target_url)).is_file()


def test_a_retake_keeps_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.otio"
    write_timeline(path, build_timeline("test", [clip(tmp_path)]))
    (found,) = read_timeline(path).find_clips()
    again = line_clip(line_id=line_id(found) or "", name=found.name, parameters=line_parameters(found) or {}, takes=[take(tmp_path, "line1-a")])
    assert again.is_equivalent_to(found)


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a take"):
        line_clip(line_id="x", name="x", parameters={}, takes=[])
    with pytest.raises(ValueError, match="known takes are a"):
        line_clip(line_id="x", name="x", parameters={}, takes=[take(tmp_path, "a")], active="b")
    with pytest.raises(ValueError, match="one frame rate"):
        line_clip(line_id="x", name="x", parameters={}, takes=[take(tmp_path, "a"), take(tmp_path, "b", rate=Fraction(24))])
    with pytest.raises(ValueError, match="one frame rate"):
        build_timeline("x", [clip(tmp_path), clip(tmp_path, rate=Fraction(24))])


def test_clips_of_others_are_left_alone(tmp_path: Path) -> None:
    other = otio.schema.Clip(name="x", media_reference=otio.schema.ExternalReference(target_url="/x.mov"))
    assert line_id(other) is None
    assert line_parameters(other) is None
    path = tmp_path / "clip.otio"
    otio.adapters.write_to_file(other, str(path), adapter_name="otio_json")
    with pytest.raises(ValueError, match="holds no timeline"):
        read_timeline(path)
