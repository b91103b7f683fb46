"""Hints in a text: how a word is said, what is stressed, where to pause."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.domain.hints import shown
from retake.speech.hibari_net import vocabulary
from retake.speech.phonetic import to_misaki
from retake.speech.plan import plan
from retake.speech.pronounce import pronounce
from retake.speech.text import LONGEST, check, clean, normalise, sentences, tokens

DOCS = Path(__file__).resolve().parent.parent / "docs" / "pronunciation.md"


@pytest.mark.parametrize(
    ("text", "said", "seen"),
    [
        ("Use [SQL](say: sequel), please.", "Use sequel, please.", "Use SQL, please."),
        ("[SQL](say: sequel)'s end", "sequel's end", "SQL's end"),
        ("a [SQL](say: sequel)-based tool", "a sequel based tool", "a SQL-based tool"),
        ("in [New York](say: noo york).", "in noo york.", "in New York."),
        ("[Привет](say: preevyet), friend", "preevyet, friend", "Привет, friend"),
        ("*Never* again", "Never again", "Never again"),
        ("**Never** again", "Never again", "Never again"),
        ("*[SQL](say: sequel)* it is", "sequel it is", "SQL it is"),
        ("Well [pause 0.4] yes.", "Well yes.", "Well yes."),
        ("Well [pause].", "Well.", "Well."),
        ("2*3 and a * b", "two times three and a b", "2*3 and a * b"),
        (r"\*starred\*", "starred", "*starred*"),
        ("See [our site](https://example.com).", "See our site.", "See our site."),
        ("[Mail](mailto:a@b.org) us", "Mail us", "Mail us"),
    ],
)
def test_hints_are_followed_and_not_shown(text: str, said: str, seen: str) -> None:
    assert normalise(text) == said
    assert clean(text) == seen


def test_words_know_that_they_are_stressed() -> None:
    assert [token.written for token in tokens("We *never ever,* ship on *[SQL](say: sequel)*.") if token.strong] == ["never", "ever,", "SQL."]


def test_pauses_stand_between_the_words_and_do_not_change_how_neighbours_are_read() -> None:
    said = tokens("May [pause 0.4] 5, 2024 [pause] ends.")
    assert [token.pause for token in said] == [None, 0.4, None, None, 0.0, None]
    assert [token.spoken for token in said if token.pause is None] == ["May", "fifth,", "twenty twenty-four", "ends."]


@pytest.mark.parametrize("length", ["0.4", "0,4", ".4", "0.4s", "0.4 seconds", "400ms"])
def test_lengths_of_pauses(length: str) -> None:
    assert [token.pause for token in tokens(f"Yes [pause {length}] no")] == [None, 0.4, None]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[SQL](sya: sequel)", "no hint"),
        ("[SQL](say: )", "does not say how"),
        ("[SQL](say: s3q)", "'s3q' cannot be said"),
        ("[SQL](say: привет)", "cannot be said"),
        ("[ ](say: sequel)", "names no word"),
        ("[SQL](say: /siːkwəl)", "slash"),
        ("[SQL](say: /ɮi/)", "'ɮ'"),
        ("[SQL](say: /pst/)", "no vowel"),
        ("[SQL](say: " + "a" * 300 + ")", "too long"),
        ("Yes [pause x] no", r"[pause x]' is no pause"),
        ("Yes [pause 40] no", "is no pause"),
        ("Yes [pause 0.01] no", "is no pause"),
        ("Yes [pause 0.4 no", "is no pause"),
    ],
)
def test_bad_hints_are_told_before_anything_is_spoken(text: str, told: str) -> None:
    with pytest.raises(RetakeError) as caught:
        check(f"Hello there. {text}")
    assert caught.value.code == "bad_hint"
    assert told in caught.value.cause
    assert caught.value.remedy


def test_hints_do_not_count_as_length() -> None:
    check("[a](say: ay) " * (LONGEST // 3))
    with pytest.raises(RetakeError, match="characters"):
        check("[abcde](say: a) " * (LONGEST // 5))


@pytest.mark.parametrize(
    ("ipa", "misaki"),
    [
        ("ˈsiːkwəl", "sˈikwəl"),
        ("ˌkubɚˈnɛtiz", "kˌubəɹnˈɛtiz"),
        ("tʃaɪ", "ʧˈI"),
        ("dʒeɪsən", "ʤˈAsən"),
        ("t͡ʃɜːt͡ʃ", "ʧˈɜɹʧ"),
        ("nuː ˈjɔːk", "nˈu jˈɔk"),
        ("ɡəʊ", "ɡˈO"),
        ("əˈbaʊt", "əbˈWt"),
    ],
)
def test_phonetic_letters_become_sounds_of_the_voice(ipa: str, misaki: str) -> None:
    assert to_misaki(ipa) == misaki
    assert set(misaki) <= set(vocabulary())


def test_given_sounds_are_spoken_and_belong_to_their_word() -> None:
    said = pronounce(sentences("My [SQL](say: /ˈsiːkwəl/)'s, not (the) [SQL](say: /ɛs/).")[0])
    assert [word.written for word in said] == ["My", "SQL's,", "not", "(the)", "SQL."]
    assert said[1].misaki == "sˈikwəlz,"
    assert said[4].misaki == "ˈɛs."


def test_pauses_are_planned_where_they_stand() -> None:
    utterance, after = plan("[pause 1] Hello, [pause 0.5] my friend [pause 0.3]. [pause 2] Yes [pause 3]")
    assert utterance.words == ("Hello,", "my", "friend.")
    inside = len("həlˈO,")
    assert utterance.phonemes[:inside] == "həlˈO,"
    assert utterance.breaks == ((0, 1.0), (inside, 0.5))
    assert after.breaks == ((0, 0.3), (0, 2.0), (len(after.phonemes), 3.0))


def test_pauses_in_a_paragraph_of_their_own_are_kept() -> None:
    first, second = plan("[pause 1]\n\nHello.\n\n[pause 2]\n\nWorld.")
    assert first.breaks == ((0, 1.0), (len(first.phonemes), 2.0))
    assert second.breaks == ()


def test_private_characters_of_a_text_are_no_hints() -> None:
    assert clean("a\ue004b \ue005\ue1ff c\U000f0041") == "ab c"


@given(st.text(alphabet="ab *[]()/:\\.0123456789\n|sayпpuse", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_mixture_of_signs_is_read_or_refused(text: str) -> None:
    try:
        normalise(text)
    except RetakeError as error:
        assert error.code in {"bad_hint", "text_empty", "text_language"}
        return
    assert not re.search("[\ue000-\uf8ff\U000f0000-\U0010ffff]", clean(text) + normalise(text))
    assert " ".join(token.written for token in tokens(text)).split() == clean(text).split()


def test_titles_have_no_hints() -> None:
    assert shown("[pause 1] *Hi* [SQL](say: sequel) [pause 0.4]. **Bye**") == "Hi SQL. Bye"


def examples() -> list[tuple[str, str]]:
    """Rows `| written | said |` of the page's tables."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|`]+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return [(written, said.strip()) for written, said in rows]


def test_the_page_has_examples() -> None:
    assert len(examples()) >= 12


@pytest.mark.parametrize(("written", "said"), examples())
def test_examples_of_the_page_are_true(written: str, said: str) -> None:
    assert normalise(written) == said
