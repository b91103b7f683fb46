"""The project's phone alphabet (ARPAbet without stress) and what the mouth does for each phone.

Engines and recognisers bring alphabets of their own; they are translated into this one at the edge, so that everything
behind the edge (face, captions, scores) knows a single alphabet.
"""

from __future__ import annotations

SILENCE = "SIL"

VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())  # noqa: SIM905
CONSONANTS = frozenset(
    ["B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"]
)
PHONES: tuple[str, ...] = (*tuple(sorted(VOWELS | CONSONANTS)), SILENCE)

CLOSED = frozenset(["P", "B", "M"])  # both lips meet
LABIODENTAL = frozenset(["F", "V"])  # lower lip meets the upper teeth
OPEN_VOWELS = frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH"])

# Visemes: groups of phones that look alike (after the 14 visemes of MPEG-4, with rounding kept apart).
VISEMES: dict[str, frozenset[str]] = {
    "sil": frozenset({SILENCE}),
    "PBM": CLOSED,
    "FV": LABIODENTAL,
    "TH": frozenset({"TH", "DH"}),
    "TDNL": frozenset({"T", "D", "N", "L"}),
    "SZ": frozenset({"S", "Z"}),
    "SHCH": frozenset({"SH", "ZH", "CH", "JH"}),
    "KG": frozenset({"K", "G", "NG", "HH"}),
    "R": frozenset({"R", "ER"}),
    "W": frozenset({"W"}),
    "UW": frozenset({"UW", "UH"}),
    "OW": frozenset({"OW", "AO", "OY"}),
    "AA": frozenset({"AA", "AH", "AW", "AY"}),
    "AE": frozenset({"AE", "EH", "EY"}),
    "IY": frozenset({"IY", "IH", "Y"}),
}
VISEME_OF: dict[str, str] = {phone: name for name, phones in VISEMES.items() for phone in phones}

# misaki (the alphabet of hibari and Kokoro) -> ARPAbet. One misaki symbol may be two sounds.
FROM_MISAKI: dict[str, tuple[str, ...]] = {
    "ɑ": ("AA",), "æ": ("AE",), "ʌ": ("AH",), "ə": ("AH",), "ɐ": ("AH",), "ᵊ": ("AH",), "ɔ": ("AO",), "ɛ": ("EH",),
    "e": ("EH",), "a": ("AE",), "ɜ": ("ER",), "ɪ": ("IH",), "ᵻ": ("IH",), "i": ("IY",), "ʊ": ("UH",), "u": ("UW",),
    "o": ("AO",), "ɒ": ("AA",), "A": ("EY",), "I": ("AY",), "W": ("AW",), "O": ("OW",), "Q": ("OW",), "Y": ("OY",),
    "b": ("B",), "d": ("D",), "f": ("F",), "ɡ": ("G",), "g": ("G",), "h": ("HH",), "j": ("Y",), "k": ("K",),
    "l": ("L",), "m": ("M",), "n": ("N",), "ŋ": ("NG",), "p": ("P",), "ɹ": ("R",), "r": ("R",), "s": ("S",),
    "ʃ": ("SH",), "t": ("T",), "T": ("D",), "ɾ": ("D",), "ʔ": ("T",), "θ": ("TH",), "ð": ("DH",), "v": ("V",),
    "w": ("W",), "z": ("Z",), "ʒ": ("ZH",), "ʤ": ("JH",), "ʧ": ("CH",), "x": ("K",),
}  # fmt: skip
