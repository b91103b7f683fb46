"""Text laid out for the synthesiser."""

from __future__ import annotations

import pytest

from retake.domain.errors import RetakeError
from retake.speech.plan import BETWEEN_PARAGRAPHS, BETWEEN_PIECES, BETWEEN_SENTENCES, MAX_PHONEMES, plan


def test_one_written_word_may_be_many_spoken_ones() -> None:
    (utterance,) = plan("It costs $9.99 today.")
    assert utterance.words == ("It", "costs", "$9.99", "today.")
    price = "".join(symbol for symbol, word in zip(utterance.phonemes, utterance.owner, strict=True) if word == 2)
    assert price.startswith("nˈIn dˈɑləɹz") and price.endswith("sˈɛnts")


def test_owners_cover_the_phonemes() -> None:
    for utterance in plan('Hello — "world", said Dr. Smith; and 1,250 people heard it!'):
        assert len(utterance.owner) == len(utterance.phonemes)
        assert len(utterance.ids) == len(utterance.phonemes) + 2
        spoken = [word for symbol, word in zip(utterance.phonemes, utterance.owner, strict=True) if symbol.isalpha()]
        assert spoken == sorted(spoken)
        assert set(spoken) == set(range(len(utterance.words)))


def test_words_without_a_sound_stay_with_their_neighbour() -> None:
    (utterance,) = plan("Well — yes.")
    assert utterance.words == ("Well —", "yes.")


def test_pauses_follow_the_layout() -> None:
    kinds = [utterance.after for utterance in plan("One sentence here. Another one.\n\nA new paragraph.")]
    assert kinds == [BETWEEN_SENTENCES, BETWEEN_PARAGRAPHS, BETWEEN_PARAGRAPHS]


def test_breathless_sentences_are_cut() -> None:
    pieces = plan(" ".join(["internationalisation"] * 14) + ".")
    assert len(pieces) >= 1
    long = plan(" ".join(["999,999,999,999"] * 12) + ".")
    assert len(long) > 1
    assert all(len(piece.phonemes) <= MAX_PHONEMES for piece in long)
    assert long[0].after == BETWEEN_PIECES
    assert [word for piece in long for word in piece.words] == ["999,999,999,999"] * 11 + ["999,999,999,999."]


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "\n\n"])
def test_nothing_to_say_is_refused(text: str) -> None:
    with pytest.raises(RetakeError) as caught:
        plan(text)
    assert caught.value.code == "text_empty"
