from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retake.domain.errors import RetakeError
from retake.domain.take import Take, TakeFiles, TakeRequest
from retake.takes import store

PARTS = {"speaker": "f" * 8, "voice": "1"}
NAMES = {"clip": "take.mp4", "timeline": "take.otio", "captions": "take.srt", "report": "take.json", "poster": "take.png"}


def request(**changes: object) -> TakeRequest:
    return TakeRequest.model_validate({"speaker": "anna", "text": "Hello.", **changes})


def make(home: Path, asked: TakeRequest, when: datetime | None = None) -> Take:
    key = store.request_key(asked, PARTS)
    identifier = store.take_id(key)
    final = store.take_folder(home, identifier)
    take = Take(
        id=identifier,
        request=asked,
        files=TakeFiles(**{kind: str(final / name) for kind, name in NAMES.items()}),
        frames=50,
        rate="30000/1001",
        width=512,
        height=512,
        sha256="0" * 64,
        measured={"per": 0.02},
    )
    with store.building(home, key) as folder:
        for name in NAMES.values():
            (folder / name).write_text(name, encoding="utf-8")
        store.save(folder, take, key, home=home, created_at=when)
    return take


def test_found_again_by_what_was_asked(tmp_path: Path) -> None:
    asked = request()
    assert store.find(tmp_path, store.request_key(asked, PARTS)) is None
    take = make(tmp_path, asked)
    found = store.find(tmp_path, store.request_key(request(line_id="another"), PARTS))
    assert found == take.model_copy(update={"cached": True})
    assert store.load(tmp_path, take.id).take == take


@pytest.mark.parametrize("changes", [{"text": "Hello!"}, {"seed": 1}, {"fps": "25"}, {"fit": 2.0}, {"speaker": "bea"}, {"width": 64, "height": 64}])
def test_anything_asked_for_differently_is_another_take(changes: dict[str, object]) -> None:
    assert store.request_key(request(**changes), PARTS) != store.request_key(request(), PARTS)


def test_takes_that_exist_keep_their_keys() -> None:
    """Keys of takes that were stored before handles and pace could be asked for."""
    assert store.request_key(request(), PARTS) == "1140e29a7e38dc4c6a7b4075fcf6f115dc10a06517c5fb99508fb51a62f23137"
    stored = "4cce9caf287464bf571bfd408b3b8a5ffb3a2d71e22aa0fec9ace20a07c13aa1"
    assert store.request_key(request(fit=2.0, fps="25", pace="fit", handles=0), PARTS) == stored
    assert len({store.request_key(request(**asked), PARTS) for asked in ({}, {"handles": 12}, {"pace": "natural"}, {"handles": 13})}) == 4


def test_what_stands_behind_the_request_counts() -> None:
    assert store.request_key(request(), {**PARTS, "voice": "2"}) != store.request_key(request(), PARTS)


def test_a_recording_counts_by_content_not_by_path() -> None:
    first, second = request(audio="/a/vo.wav"), request(audio="/b/vo.wav")
    assert store.request_key(first, {**PARTS, "audio": "h1"}) == store.request_key(second, {**PARTS, "audio": "h1"})
    assert store.request_key(first, {**PARTS, "audio": "h1"}) != store.request_key(first, {**PARTS, "audio": "h2"})


def test_a_take_whose_clip_has_gone_is_not_found(tmp_path: Path) -> None:
    take = make(tmp_path, request())
    Path(take.files.clip).unlink()
    assert store.find(tmp_path, store.request_key(request(), PARTS)) is None


def test_history_is_newest_first_and_survives_damage(tmp_path: Path) -> None:
    assert store.history(tmp_path) == []
    old = make(tmp_path, request(text="old"), datetime(2026, 1, 1, tzinfo=UTC))
    new = make(tmp_path, request(text="new", speaker="bea"), datetime(2026, 1, 2, tzinfo=UTC))
    broken = make(tmp_path, request(text="broken"), datetime(2026, 1, 3, tzinfo=UTC))
    (store.take_folder(tmp_path, broken.id) / store.RECORD).write_text("{", encoding="utf-8")
    (tmp_path / "takes" / "notes").mkdir()
    assert [stored.take for stored in store.history(tmp_path)] == [new, old]
    assert [stored.take for stored in store.history(tmp_path, speaker="anna")] == [old]


def test_the_home_folder_can_move(tmp_path: Path) -> None:
    take = make(tmp_path / "one", request())
    shutil.move(tmp_path / "one", tmp_path / "two")
    found = store.find(tmp_path / "two", store.request_key(request(), PARTS))
    assert found is not None
    assert Path(found.files.clip) == tmp_path / "two" / "takes" / take.id / "take.mp4"


@pytest.mark.parametrize("identifier", ["", "../x", "0" * 15, "0" * 17, "ZZZZZZZZZZZZZZZZ", "0" * 16])
def test_unknown_takes(tmp_path: Path, identifier: str) -> None:
    with pytest.raises(RetakeError) as caught:
        store.load(tmp_path, identifier)
    assert caught.value.code == "unknown_take"


def test_delete(tmp_path: Path) -> None:
    take = make(tmp_path, request())
    store.delete(tmp_path, take.id)
    assert store.history(tmp_path) == []
    assert list((tmp_path / "takes").iterdir()) == []
