"""Reading text aloud: what is said for what is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.domain.phones import PHONES
from retake.speech import numbers
from retake.speech.pronounce import pronounce, to_arpabet
from retake.speech.text import LONGEST, check, clean, normalise, sentences, tokens

SAID = [
    # numbers
    ("3 cats", "three cats"),
    ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
    ("0.05", "zero point zero five"),
    (".5", "point five"),
    ("3.14159", "three point one four one five nine"),
    ("-5", "minus five"),
    ("+5", "plus five"),
    ("007", "zero zero seven"),
    ("Room 101.", "Room one hundred one."),
    ("Route 66", "Route sixty-six"),
    ("12345678901234567890", "one two three four five six seven eight nine zero one two three four five six seven eight nine zero"),
    ("1e6", "one times ten to the six"),
    ("Python 3.11", "Python three point one one"),
    ("v1.2.3", "version one point two point three"),
    ("10.5.3", "ten point five point three"),
    ("Beverly Hills, CA 90210", "Beverly Hills, CA nine zero two one zero"),
    # ordinals
    ("1st", "first"),
    ("2nd", "second"),
    ("12th", "twelfth"),
    ("21st", "twenty-first"),
    ("101st", "one hundred first"),
    ("1,000th", "one thousandth"),
    ("5th-grade", "fifth grade"),
    # years, decades
    ("in 1999", "in nineteen ninety-nine"),
    ("2000", "two thousand"),
    ("2005", "two thousand five"),
    ("2026.", "twenty twenty-six."),
    ("1905", "nineteen oh five"),
    ("1900", "nineteen hundred"),
    ("in 1066", "in ten sixty-six"),
    ("the 1990s", "the nineteen nineties"),
    ("the '80s", "the eighties"),
    ("mid-1980s", "mid nineteen eighties"),
    ("2020s", "twenty twenties"),
    ("1980-1990", "nineteen eighty to nineteen ninety"),
    # dates
    ("3/4/2025", "March fourth, twenty twenty-five"),
    ("1987-05-06", "May sixth, nineteen eighty-seven"),
    ("May 5, 2024", "May fifth, twenty twenty-four"),
    ("5 May 2024", "the fifth of May twenty twenty-four"),
    ("the 4th of July", "the fourth of July"),
    ("Dec. 25th", "December twenty-fifth"),
    ("Jan 1", "January first"),
    ("25/12/99", "December twenty-fifth, nineteen ninety-nine"),
    # times
    ("5:30pm", "five thirty P.M."),
    ("3 p.m.", "three P.M."),
    ("at 3pm, yes", "at three P.M., yes"),
    ("17:00", "seventeen hundred"),
    ("9:05", "nine oh five"),
    ("12:00.", "twelve o'clock."),
    ("10:05", "ten oh five"),
    ("7:00 am", "seven A.M."),
    # money
    ("$5", "five dollars"),
    ("$1", "one dollar"),
    ("$5.20", "five dollars and twenty cents"),
    ("$0.99", "ninety-nine cents"),
    ("$1.01", "one dollar and one cent"),
    ("€20", "twenty euros"),
    ("5€", "five euros"),
    ("£3.50", "three pounds and fifty pence"),
    ("$5 million", "five million dollars"),
    ("$2.5bn", "two point five billion dollars"),
    ("$100K", "one hundred thousand dollars"),
    ("-$20", "minus twenty dollars"),
    ("50¢", "fifty cents"),
    ("¥500", "five hundred yen"),
    ("USD 40", "forty dollars"),
    # percent, units
    ("50%", "fifty percent"),
    ("3.5% off", "three point five percent off"),
    ("5–10%", "five to ten percent"),
    ("-4°C", "minus four degrees Celsius"),
    ("98.6 °F", "ninety-eight point six degrees Fahrenheit"),
    ("5 km", "five kilometers"),
    ("1 km", "one kilometer"),
    ("10kg", "ten kilograms"),
    ("60 mph", "sixty miles per hour"),
    ("100 km/h", "one hundred kilometers per hour"),
    ("25 fps", "twenty-five frames per second"),
    ("16 GB", "sixteen gigabytes"),
    ("5'11\"", "five feet eleven"),
    ("6ft", "six feet"),
    ("10 in a row", "ten in a row"),
    ("4K", "four K"),
    ("1080p", "ten eighty P"),
    ("3x faster", "three times faster"),
    ("5 x 3", "five by three"),
    ("10k", "ten thousand"),
    # fractions, ranges, ratios
    ("1/2", "one half"),
    ("3/4 cup", "three quarters cup"),
    ("2 1/2 cups", "two and one half cups"),
    ("50/50", "fifty fifty"),
    ("24/7", "twenty-four seven"),
    ("5-10 people", "five to ten people"),
    ("pages 3–7", "pages three to seven"),
    ("10:1 odds", "ten to one odds"),
    # telephone numbers
    ("555-1234", "five five five, one two three four"),
    ("1-800-555-0199", "one, eight zero zero, five five five, zero one nine nine"),
    ("(212) 555-0147", "(two one two) five five five, zero one four seven"),
    ("+44 20 7946 0958", "plus four four two zero seven nine four six zero nine five eight"),
    ("Call 911!", "Call nine one one!"),
    # names with digits
    ("COVID-19", "covid nineteen"),
    ("MP3", "M.P three"),
    ("H.264", "H two six four"),
    ("B2B", "B two B"),
    ("3D", "three D"),
    ("F-16", "F sixteen"),
    ("R2-D2", "R two D two"),
    ("5-year-old", "five year old"),
    # Roman numerals
    ("Henry VIII,", "Henry the eighth,"),
    ("Louis XIV's", "Louis the fourteenth's"),
    ("World War II", "World War two"),
    ("Chapter IV", "Chapter four"),
    ("Rocky III", "Rocky three"),
    ("Pope John Paul II", "Pope John Paul the second"),
    ("I am", "I am"),
    ("Vitamin C", "Vitamin C"),
    # abbreviations
    ("Dr. Smith", "doctor Smith"),
    ("Elm Dr., Ohio", "Elm drive, Ohio"),
    ("St. Paul's", "saint Paul's"),
    ("5th St. near", "fifth street near"),
    ("Mr. and Mrs. Jones", "mister and missus Jones"),
    ("e.g. this", "for example this"),
    ("i.e. that", "that is that"),
    ("cats vs. dogs", "cats versus dogs"),
    ("No. 10", "number ten"),
    ("He said no.", "He said no."),
    ("approx. 5", "approximately five"),
    ("Acme Inc.", "Acme incorporated."),
    ("w/o sugar", "without sugar"),
    # symbols, addresses
    ("rock & roll", "rock and roll"),
    ("AT&T", "A.T. and T"),
    ("R&D", "R and D"),
    ("C++ and C#", "C plus plus and C sharp"),
    ("2 + 2 = 4", "two plus two equals four"),
    ("@anna", "at anna"),
    ("#GoodMorning", "hashtag Good Morning"),
    ("#1", "number one"),
    ("and/or", "and or"),
    ("he/she", "he or she"),
    ("TCP/IP", "TCP IP"),
    ("me@foo-bar.co.uk", "me at foo dash bar dot co dot U.K."),
    ("https://example.com/help", "example dot com slash help"),
    ("www.example.com", "W.W.W dot example dot com"),
    # what stays as it is
    ("NASA and the FBI", "NASA and the FBI"),
    ("don't", "don't"),
    ("mother-in-law", "mother-in-law"),
    ("rock 'n' roll", "rock and roll"),
    ("Wait... what?!", "Wait… what?!"),
    ("No—really", "No — really"),
    ("[note]", "(note)"),
]


@pytest.mark.parametrize(("written", "said"), SAID, ids=[written for written, _ in SAID])
def test_what_is_said(written: str, said: str) -> None:
    assert normalise(written) == said


def test_nothing_but_words_and_punctuation_is_left() -> None:
    for written, _ in SAID:
        assert not any(character.isdigit() or character in "$€£%&@#=+*/<>[]{}" for character in normalise(written)), written


def test_tokens_keep_written_words_and_join_to_the_normalised_text() -> None:
    text = "On 3/4/2025, Dr. Smith paid $5 million — twice."
    parts = tokens(text)
    assert [token.written for token in parts] == clean(text).split()
    assert " ".join(token.spoken for token in parts if token.spoken) == normalise(text)
    said = {token.written: token.words for token in parts}
    assert said["$5"] == ("five",)
    assert said["million"] == ("million", "dollars")
    assert said["—"] == ()


@pytest.mark.parametrize("text", ["", "   \n ", "...!?", "—", "😀 👍🏽", "¿?!"])
def test_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(RetakeError) as caught:
        check(text)
    assert caught.value.code == "text_empty"


@pytest.mark.parametrize("text", ["Привет, мир", "你好世界", "こんにちは", "مرحبا بالعالم", "שלום", "नमस्ते", "안녕하세요", "Καλημέρα"])
def test_other_scripts_are_refused_naming_the_language(text: str) -> None:
    with pytest.raises(RetakeError) as caught:
        normalise(text)
    assert caught.value.code == "text_language"
    assert "English" in caught.value.remedy


def test_long_text_is_refused_and_the_limit_is_named() -> None:
    check("a " * (LONGEST // 2))
    with pytest.raises(RetakeError, match="10,000") as caught:
        normalise("word " * 4000)
    assert caught.value.code == "text_too_long"


def test_emoji_are_dropped_with_a_note() -> None:
    assert check("Good morning ☕!") == ("1 emoji is not spoken and left out.",)
    assert normalise("Good morning ☕ to 😀 you 👍🏽 all") == "Good morning to you all"
    assert check("Good morning!") == ()


def test_letters_with_marks_are_spoken() -> None:
    assert normalise("café naïve Zürich Łódź") == "café naïve Zürich Łódź"


def test_sentences_end_at_full_stops_but_not_after_titles() -> None:
    text = "Dr. Smith came at 5 p.m. yesterday. He stayed!  Did J. K. Rowling? “Yes.” She said so…\n\nA new paragraph"
    assert sentences(text) == [
        "Dr. Smith came at 5 p.m. yesterday.",
        "He stayed!",
        "Did J. K. Rowling?",
        '"Yes."',
        "She said so…",
        "A new paragraph",
    ]


def test_long_sentences_are_cut_where_one_breathes() -> None:
    clause = "the quick brown fox jumps over the lazy dog again and again until the evening comes"
    pieces = sentences("; ".join([clause] * 9) + ".")
    assert all(len(piece) <= 300 for piece in pieces)
    assert all(piece.endswith((";", ".")) for piece in pieces)
    endless = sentences("a" * 2000)
    assert "".join(endless) == "a" * 2000


def test_no_sentence_is_without_words() -> None:
    assert sentences("Yes. ... ! No.") == ["Yes. … !", "No."]


def test_phones_belong_to_written_words() -> None:
    said = pronounce("Dr. Smith paid $5 — twice.")
    assert [word.written for word in said] == ["Dr.", "Smith", "paid", "$5", "—", "twice."]
    assert [symbol for symbol, _ in said[0].phones] == ["D", "AA", "K", "T", "ER"] or [symbol for symbol, _ in said[0].phones] == [
        "D",
        "AA",
        "K",
        "T",
        "AH",
        "R",
    ]
    assert said[4].phones == ()
    assert [symbol for symbol, _ in said[5].phones] == ["T", "W", "AY", "S"]
    assert ("AY", 1) in said[5].phones


def test_acronyms_are_words_or_letters() -> None:
    phones = {word.written: [symbol for symbol, _ in word.phones] for word in pronounce("NASA FBI GPUs")}
    assert phones["NASA"] == ["N", "AE", "S", "AH"]
    assert phones["FBI"] == ["EH", "F", "B", "IY", "AY"]
    assert phones["GPUs"] == ["JH", "IY", "P", "IY", "Y", "UW", "Z"]


def test_every_phoneme_has_a_place_in_our_alphabet() -> None:
    for symbol, stress in to_arpabet("ˈɑæʌəɔɛɜɪiʊuAIWOQYbdfɡhjklmnŋpɹsʃtTθðvwzʒʤʧ"):
        assert symbol in PHONES
        assert stress in (0, 1, 2)


@given(st.integers(min_value=0, max_value=10**18 - 1))
@settings(max_examples=200, deadline=None)
def test_cardinals_name_every_group(value: int) -> None:
    words = numbers.cardinal(value)
    scales = ["", "thousand", "million", "billion", "trillion", "quadrillion"]
    groups = [int(group) for group in f"{value:,}".split(",")]
    for power, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        assert (scales[power] in words) == (group > 0) or power == 0


@given(st.integers(min_value=1, max_value=3999))
@settings(max_examples=100, deadline=None)
def test_roman_numerals_come_back(value: int) -> None:
    assert numbers.roman(numbers.to_roman(value)) == value


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        said = normalise(text)
    except RetakeError:
        return
    assert not any(character.isdecimal() and character.isascii() for character in said)
    assert [token.written for token in tokens(text)] == clean(text).split()
