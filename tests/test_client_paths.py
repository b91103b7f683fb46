"""Path maps: one place, two names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake_client import BadRequest
from retake_client.paths import PathMap, inside, is_absolute, same_place

MAP = PathMap([("/mnt/retake", "Z:\\Retake"), ("/mnt/retake/anna", "//server/share/anna"), ("D:/in", "/media/in"), ("\\\\NAS\\pool\\x", "/nas/x")])


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("/mnt/retake/takes/a.mp4", "Z:\\Retake\\takes\\a.mp4"),
        ("/mnt/retake", "Z:\\Retake"),
        ("/mnt/retake/anna/b.mp4", "\\\\server\\share\\anna\\b.mp4"),  # the longest prefix
        ("/mnt/retake//./takes/", "Z:\\Retake\\takes"),
        ("/mnt/retakes/a.mp4", None),
        ("/MNT/retake/a.mp4", None),
        ("/mnt/retake/../etc/passwd", None),
        ("/mnt/retake/a\\b.mp4", None),  # one name here, a folder and a file there
        ("/mnt/retake/a:b.mp4", None),
        ("takes/a.mp4", None),
        ("", None),
        ("d:\\IN\\Ä\\a.mov", "/media/in/Ä/a.mov"),
        ("D:in/a.mov", None),
        ("d:/in/..\\a.mov", None),
        ("//nas/POOL/X/a.wav", "/nas/x/a.wav"),
        ("\\\\?\\UNC\\nas\\pool\\x\\a.wav", "/nas/x/a.wav"),
        ("\\\\?\\D:\\in\\a.wav", "/media/in/a.wav"),
        ("\\\\.\\D:\\in", None),
    ],
)
def test_to_this_machine(remote: str, local: str | None) -> None:
    assert MAP.to_local(remote) == local


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        ("z:/retake/x/A.mp4", "/mnt/retake/x/A.mp4"),
        ("Z:\\RETAKE\\x", "/mnt/retake/x"),
        ("\\\\SERVER\\Share\\anna\\b.mp4", "/mnt/retake/anna/b.mp4"),
        ("Z:\\other", None),
        ("/media/in/a.mov", "D:\\in\\a.mov"),
        ("/media/in/con?.mov", None),
        ("/nas/x", "\\\\NAS\\pool\\x"),
    ],
)
def test_to_the_daemons_machine(local: str, remote: str | None) -> None:
    assert MAP.to_remote(local) == remote


@given(st.lists(st.text("abcÄ. -", min_size=1, max_size=8).filter(lambda part: part.strip(". ") != ""), max_size=5))
def test_there_and_back(parts: list[str]) -> None:
    remote = "/".join(["/mnt/retake", *parts])
    local = MAP.to_local(remote)
    assert local is not None
    assert MAP.to_remote(local) == remote


def test_preferences() -> None:
    assert PathMap.parse(MAP.text()) == MAP
    assert hash(PathMap.parse(MAP.text())) == hash(MAP)
    assert PathMap.parse(" /a = Z:\\a ;\n/b=/c\n").pairs == (("/a", "Z:\\a"), ("/b", "/c"))
    assert not PathMap.parse(" ; ") and PathMap().to_local("/a") is None
    assert PathMap([("/", "Z:\\")]).to_local("/a/b") == "Z:\\a\\b"
    assert PathMap([("Z:", "/z")]).to_remote("/z") == "Z:\\"
    for text in ("/a", "a=b", "/a=../b", "/a=/b/../c", "/a=", "Z:a=/b"):
        with pytest.raises(BadRequest) as caught:
            PathMap.parse(text)
        assert caught.value.code == "bad_path_map" and "=" in caught.value.remedy


def test_questions_about_paths() -> None:
    assert same_place("z:/A/", "Z:\\a") and not same_place("/A", "/a") and not same_place("a", "a")
    assert inside("/a", "/a/b") and not inside("/a/b", "/a")
    assert is_absolute("\\\\s\\t") and not is_absolute("C:a") and not is_absolute("\\a")
