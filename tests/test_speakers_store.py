from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.speaker import Consent, Speaker
from retake.speakers import store


def speaker(name: str, **changes: object) -> Speaker:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    fields: dict[str, object] = {
        "name": name,
        "consent": Consent(statement="I agree.", recorded_by="tester", recorded_at=now, reference_sha256="0" * 64),
        "created_at": now,
        "product_version": "0",
        "transcript": "hello",
        "transcript_source": "given",
        "rate": "25",
        "frames": 500,
        "width": 512,
        "height": 512,
        "seconds": 20.0,
        "voice_engine": "embedded",
        "voice_similarity": None,
        "loudness_lufs": -20.0,
        "lag_seconds": 0.0,
        "lag_confidence": 0.0,
    }
    return Speaker.model_validate(fields | changes)


def stored(home: Path, name: str, **changes: object) -> None:
    with store.building(home, name, replace=True) as folder:
        store.save(folder, speaker(name, **changes))


def test_save_load_list_delete(tmp_path: Path) -> None:
    assert store.list_speakers(tmp_path) == []
    stored(tmp_path, "bea")
    stored(tmp_path, "anna")
    assert store.names(tmp_path) == ["anna", "bea"]
    assert store.load(tmp_path, "bea") == speaker("bea")
    assert store.stored_bytes(tmp_path, "bea") > 100
    store.delete(tmp_path, "bea")
    assert store.names(tmp_path) == ["anna"]
    assert sorted(entry.name for entry in (tmp_path / "speakers").iterdir()) == ["anna"]


def test_unknown_speaker_lists_the_known(tmp_path: Path) -> None:
    stored(tmp_path, "anna")
    stored(tmp_path, "bea")
    with pytest.raises(RetakeError) as caught:
        store.load(tmp_path, "carl")
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert "anna, bea" in caught.value.remedy


@pytest.mark.parametrize("name", ["../anna", "", "Anna", "a/b", "a\\b", ".", "con", "lpt1", "a" * 64, "ä"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    with pytest.raises(RetakeError) as caught:
        store.speaker_folder(tmp_path, name)
    assert caught.value.code == "bad_name"


def test_existing_is_refused_unless_replaced(tmp_path: Path) -> None:
    stored(tmp_path, "anna", seconds=10.0)
    with pytest.raises(RetakeError) as caught, store.building(tmp_path, "anna"):
        pytest.fail("the block must not run")
    assert caught.value.code == "speaker_exists"
    with store.building(tmp_path, "anna", replace=True) as folder:
        assert store.load(tmp_path, "anna").seconds == 10.0  # the old one works until the new one is complete
        store.save(folder, speaker("anna", seconds=11.0))
    assert store.load(tmp_path, "anna").seconds == 11.0


def test_failed_enrolment_keeps_the_old_speaker(tmp_path: Path) -> None:
    stored(tmp_path, "anna")
    with pytest.raises(KeyboardInterrupt), store.building(tmp_path, "anna", replace=True) as folder:
        store.save(folder, speaker("anna", seconds=11.0))
        raise KeyboardInterrupt
    assert store.load(tmp_path, "anna").seconds == 20.0
    assert sorted(entry.name for entry in (tmp_path / "speakers").iterdir()) == ["anna"]


def test_a_folder_without_a_record_is_no_speaker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="record"), store.building(tmp_path, "anna"):
        pass
    (tmp_path / "speakers" / "empty").mkdir()
    assert store.names(tmp_path) == []


@pytest.mark.parametrize("content", ["", "{", '{"name": "anna"}', '{"format": 99, "unknown": 1}'])
def test_damaged_record(tmp_path: Path, content: str) -> None:
    stored(tmp_path, "anna")
    (tmp_path / "speakers" / "anna" / store.RECORD).write_text(content, encoding="utf-8")
    with pytest.raises(RetakeError) as caught:
        store.load(tmp_path, "anna")
    assert caught.value.code == "bad_speaker_record"
    assert "--replace" in caught.value.remedy


def test_a_link_is_not_followed_when_deleting(tmp_path: Path) -> None:
    stored(tmp_path, "anna")
    target = tmp_path / "elsewhere"
    (tmp_path / "speakers" / "anna").rename(target)
    try:
        (tmp_path / "speakers" / "anna").symlink_to(target, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    with pytest.raises(RetakeError):
        store.delete(tmp_path, "anna")
    assert (target / store.RECORD).is_file()
