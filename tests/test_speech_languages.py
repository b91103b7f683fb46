"""Which language a line is spoken in, who speaks it, and what is noticed of a text's language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from speaker_samples import speaker_record
from toy_engine import misbehaving

from retake import pipeline
from retake.domain.errors import RetakeError
from retake.domain.language import language_tag, spoken_as
from retake.domain.progress import Progress
from retake.domain.take import TakeRequest
from retake.engines.hosts import Hosts
from retake.engines.install import install
from retake.media.audio import read_audio, write_wav
from retake.speakers import store
from retake.speech.foreign import noticed
from retake.speech.hosted import HostedVoice
from retake.speech.languages import check_line, chosen
from retake.speech.pieces import cut, pieces_of
from retake.takes.store import request_key

PRESENTER = Path(__file__).resolve().parent.parent / "daemon" / "retake" / "assets" / "presenter" / "presenter.mp4"
FOREIGN = {
    "de": ["Guten Morgen, wie geht es Ihnen heute?", "Die Sitzung wurde auf Freitag verschoben.", "Bitte warten Sie einen Augenblick."],
    "fr": ["Bonjour à tous et bienvenue dans ce cours.", "Je ne sais pas où il habite.", "Ma sœur travaille dans un hôpital."],
    "es": ["Hola, ¿cómo estás hoy?", "La reunión se ha aplazado hasta el viernes.", "Mi hermana trabaja en un hospital."],
    "it": ["Questo è un nuovo prodotto per i nostri clienti.", "Dove trovo le impostazioni?", "Mia sorella lavora in un ospedale."],
    "pt": ["Muito obrigado pela sua atenção.", "Ainda não li o livro.", "A minha irmã trabalha num hospital."],
    "nl": ["Ik heb het boek nog niet gelezen.", "Dit is een nieuw product voor onze klanten.", "Mijn zus werkt in een ziekenhuis."],
    "ru": ["Привет, как дела?"],
    "uk": ["Привіт, як справи?"],
    "ja": ["今日はいい天気です。"],
    "zh": ["今天天气很好。"],
    "ko": ["안녕하세요"],
}
ENGLISH = [
    "We had a rendezvous at the Café de Flore in Paris.", "Vincent van Gogh painted it in Arles.", "Los Angeles and Las Vegas are four hours apart.",
    "La La Land won six Oscars.", "Que sera, sera.", "Die Hard is a Christmas movie.", "Ursula von der Leyen spoke to the press.", "Bonjour!",
    "Penélope Cruz and Javier Bardem live in Madrid.", "São Paulo, Belo Horizonte and Porto Alegre.",
    "Was that a war or a battle?", "Die if you must.",
    "Her man was so late to the arts show.", "C'est la vie, as they say.", "The zeitgeist favours schadenfreude.", "No.", "Version 2.0 is out.", "",
    "The Greek letter α comes first.", "[SQL](say: sequel) is a language.",
]  # fmt: skip


@pytest.mark.parametrize(("tag", "text"), [(tag, text) for tag, texts in FOREIGN.items() for text in texts])
def test_another_language_is_noticed(tag: str, text: str) -> None:
    assert noticed(text) == tag


@pytest.mark.parametrize("text", ENGLISH)
def test_names_and_loan_words_are_no_other_language(text: str) -> None:
    assert noticed(text) is None


def test_tags() -> None:
    assert [language_tag(value) for value in ("DE", "German", "pt_BR", " zh-cn ")] == ["de", "de", "pt-br", "zh-cn"]
    for value in ("", "deutsch sprechen", "../x", "d", "de-" + "a" * 9):
        with pytest.raises(RetakeError) as caught:
            language_tag(value)
        assert caught.value.code == "bad_language"
    assert spoken_as("en-gb", ("en",)) == "en" and spoken_as("zh", ("en", "zh-cn")) == "zh-cn"
    assert spoken_as("fi", ()) == "fi" and spoken_as("fi", ("en",)) is None


def test_the_language_is_the_asked_one_then_the_noticed_one_then_the_speakers() -> None:
    german = FOREIGN["de"][0]
    assert chosen(german, ("en", "de", "fr"), asked="fr") == "fr"
    assert chosen(german, ("en", "de"), asked=None) == "de"
    assert chosen(german, ("en", "fr"), asked=None) == "en"
    assert chosen(german, ("en",), asked=None) == "en"
    assert chosen("Hello there.", ("fi",), asked=None) is None


def refused(text: str, engine: str, home: Path, asked: str | None) -> RetakeError:
    with pytest.raises(RetakeError) as caught:
        check_line(text, engine, home, asked=asked)
    return caught.value


def toy(home: Path, folder: Path, languages: str) -> None:
    """An engine that plays what the presenter said, whatever it is asked."""
    folder.mkdir(parents=True)
    sound = folder.resolve() / "sound.raw"
    read_audio(PRESENTER, 24000, seconds=3.0).tofile(sound)
    play = f"data = array('f')\ndata.frombytes(open({str(sound)!r}, 'rb').read())\nyield data, RATE\nreturn\n"
    made = misbehaving(folder, "print('ORDER', order.language, order.sentences, flush=True)\n" + play)
    made.rewrite("toy.toml", 'languages = ["en"]', f"languages = {languages}")
    install(home, "toy", source=made.folder, progress=Progress())


def test_who_speaks_a_language_is_named_the_installed_ones_first(tmp_path: Path) -> None:
    error = refused("Guten Tag.", "embedded", tmp_path, "de")
    assert error.code == "engine_language" and "German (de)" in error.cause and "English (en)" in error.cause
    assert "xtts (CPML 1.0" in error.remedy and "retake engines install chatterbox-many'" in error.remedy and "pocket" not in error.remedy
    toy(tmp_path, tmp_path / "toy", '["de"]')
    error = refused("Guten Tag.", "embedded", tmp_path, "de")
    assert error.remedy.index("--language de --voice-engine toy") < error.remedy.index("xtts")
    assert "The embedded engine does." in refused("Hello.", "toy", tmp_path, "en").remedy
    assert "No engine" in refused("Tere.", "embedded", tmp_path, "et").remedy
    greek = refused("Καλημέρα σε όλους", "embedded", tmp_path, None)
    assert greek.code == "text_language" and "chatterbox-many" in greek.remedy and "xtts" not in greek.remedy
    thai = refused("สวัสดีครับ วันนี้อากาศดี", "embedded", tmp_path, None)
    assert thai.code == "text_language" and "No engine" in thai.remedy
    assert "xtts" in refused("Привет, как дела?", "embedded", tmp_path, None).remedy


def test_a_text_that_reads_like_another_language_is_noted_not_refused(tmp_path: Path) -> None:
    [note] = check_line("Vielen Dank für Ihre Aufmerksamkeit.", "embedded", tmp_path)
    assert note.startswith("It reads like German (de), and is spoken as English.") and "xtts" in note
    assert check_line("Vielen Dank für Ihre Aufmerksamkeit.", "embedded", tmp_path, asked="en") == ()
    assert check_line("Thank you very much, Herr Müller.", "embedded", tmp_path) == ()
    toy(tmp_path, tmp_path / "toy", '["en", "de", "ru"]')
    [note] = check_line("Vielen Dank für Ihre Aufmerksamkeit.", "toy", tmp_path)
    assert "is spoken as that" in note
    assert check_line("Привет, как дела?", "toy", tmp_path, asked="ru") == ()


def test_takes_of_before_keep_their_keys(tmp_path: Path) -> None:
    request = TakeRequest(speaker="anna", text="Hello.")
    store_key = request_key(request, {})
    assert "language" not in request.model_dump(exclude_none=True)
    assert request_key(request.model_copy(update={"language": "en"}), {}) != store_key


def test_the_engine_is_told_the_language_and_gets_sentences(tmp_path: Path) -> None:
    home = tmp_path / "home"
    toy(home, tmp_path / "toy", '["en", "de"]')
    with store.building(home, "anna", replace=True) as folder:
        store.save(folder, speaker_record("anna", loudness_lufs=-20.0))
        write_wav(folder / "reference.wav", np.zeros(48000, np.float32), 48000)
    person = store.speaker_folder(home, "anna")
    pool = Hosts(home)
    try:
        voice = HostedVoice(home, "toy", pool=pool)
        german = voice.speaking("de")
        assert german.version == f"{voice.version}-de" and voice.speaking("de").version == german.version
        speech = german.speak(person, "Guten Tag. Dr. Weber ist am 3. Mai da!")
        assert speech.duration > 0.5 and not speech.timing.exact
        voice.speak(person, "Wie geht es Ihnen? Und was machen Sie heute?")
    finally:
        pool.close()
    log = (home / "logs" / "engines" / "toy.log").read_text(encoding="utf-8")
    assert "ORDER de ['Guten Tag.', 'Dr. Weber ist am 3. Mai da!']" in log
    assert "ORDER de ['Wie geht es Ihnen?', 'Und was machen Sie heute?']" in log
    asked = TakeRequest(speaker="anna", text="Guten Tag.", voice_engine="toy")
    keys = {pipeline.take_key(asked.model_copy(update={"language": language}), home=home) for language in (None, "de", "en")}
    assert len(keys) == 3
    plain = asked.model_copy(update={"voice_engine": "embedded"})
    assert pipeline.take_key(plain, home=home) == pipeline.take_key(plain.model_copy(update={"language": "en-gb"}), home=home)


def test_pieces_of_other_languages() -> None:
    assert pieces_of("今天天气很好。你好吗？") == ["今天天气很好。", "你好吗？"]
    assert pieces_of("¿Qué tal?\n¡Bien, gracias! ...") == ["¿Qué tal?", "¡Bien, gracias!"]
    assert pieces_of("यह अच्छा है। धन्यवाद।") == ["यह अच्छा है।", "धन्यवाद।"]
    long = "eins zwei, " * 60
    assert all(0 < len(piece) <= 300 for piece in pieces_of(long)) and " ".join(pieces_of(long)).split() == long.split()
    assert cut("x" * 700, 300) == ["x" * 300, "x" * 300, "x" * 100]
