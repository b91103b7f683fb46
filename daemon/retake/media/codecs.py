"""What the bundled media library can read and write."""

from __future__ import annotations

from typing import Literal

import av
from av.codec.codec import Codec, UnknownCodecError

NEEDED_ENCODERS = ("libx264", "aac")
NEEDED_DECODERS = ("h264", "hevc", "vp9", "prores", "mpeg1video", "aac", "opus", "pcm_s16le", "flac", "mp3")


def missing_codecs() -> list[str]:
    """Names of encoders and decoders that this build lacks, such as "libx264 (writing)"."""
    missing = [f"{name} (writing)" for name in NEEDED_ENCODERS if not _has(name, "w")]
    return missing + [f"{name} (reading)" for name in NEEDED_DECODERS if not _has(name, "r")]


def library_versions() -> str:
    """Versions of PyAV and of the codec library in it."""
    return f"PyAV {av.__version__}, libavcodec {'.'.join(str(part) for part in av.library_versions['libavcodec'])}"


def _has(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        Codec(name, mode)
    except UnknownCodecError:
        return False
    return True
