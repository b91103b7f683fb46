"""Damage of any kind ends in a clear error or in what could still be read, never in a crash or a hang."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from media_samples import make_video, tone

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.media.audio import read_audio
from retake.media.reference import normalise

KNOWN = {"corrupt", "not_media", "no_sound", "no_picture", "still_picture", "unknown_codec", "protected", "empty_file"}


def damaged(data: bytes, seed: int) -> bytes:
    """Cut at the end or the start, overwrite, or insert: what disks, transfers and recorders do."""
    chance = random.Random(seed)
    out = bytearray(data)
    way = chance.choice(["end", "start", "insert", "overwrite", "overwrite"])
    if way == "end":
        return bytes(out[: chance.randrange(1, len(out))])
    if way == "start":
        return bytes(out[chance.randrange(1, len(out)) :])
    if way == "insert":
        at = chance.randrange(len(out))
        out[at:at] = chance.randbytes(chance.randrange(1, 50))
        return bytes(out)
    for _ in range(chance.choice([1, 5, 30])):
        at = chance.randrange(len(out) if chance.random() < 0.5 else min(len(out), 2000))
        size = len(out[at : at + chance.choice([1, 4, 100, 2000])])
        out[at : at + size] = chance.randbytes(size)
    return bytes(out)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    made = {
        suffix: make_video(folder / f"a.{suffix}", frames=30, sound=tone(1.2, 48000), faststart=suffix == "mp4")
        for suffix in ("mp4", "mkv", "ts", "mov")
    }
    made["mpg"] = make_video(folder / "a.mpg", codec="mpeg2video", frames=30, sound=tone(1.2, 48000), sound_codec="mp2", options={"qscale": "3"})
    return {suffix: path.read_bytes() for suffix, path in made.items()}


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts", "mpg"])
@pytest.mark.parametrize("seed", range(12))
def test_damage(tmp_path: Path, sources: dict[str, bytes], suffix: str, seed: int) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(damaged(sources[suffix], seed))
    outcomes: list[str] = []
    for attempt in (lambda: normalise(path, tmp_path, Progress(), need_sound=False), lambda: read_audio(path, 16000)):
        try:
            attempt()
            outcomes.append("read")
        except RetakeError as error:
            outcomes.append(error.code)
    assert set(outcomes) <= KNOWN | {"read"}
    if outcomes[0] != "read":
        assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_most_damage_can_be_read(sources: dict[str, bytes], tmp_path: Path) -> None:
    """A few bytes overwritten in the pictures of a transport stream cost a few pictures, not the file."""
    data = bytearray(sources["ts"])
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path = tmp_path / "a.ts"
    path.write_bytes(data)
    assert normalise(path, tmp_path, Progress()).frames >= 28
