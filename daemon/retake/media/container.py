"""Opening media: everything that can be wrong with a file, told apart."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
from av.stream import Disposition

from retake.domain.errors import ErrorKind, RetakeError

from .limits import LONGEST_SIDE, OPENING_SECONDS, check_picture, check_sample_rate, check_streams, limits

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Only demuxers that hold sound and moving pictures in one local file: playlists could reach for other files or the network, and the
# demuxers for text art and pictures accept nearly anything.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,live_flv,ogg,mxf,nut,gxf,dv,h264,hevc,m4v,ivf,obu,vc1,rm,"
    "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,amr,ape,wv,tta"
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"8BPS")
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"avif")
_CONTAINERS = (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"fLaC", b"FORM", b"ID3", b"0&\xb2u")
# Nothing but the file itself is opened: no playlists' parts, no network, no data of a QuickTime movie that lies in other files.
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS, "enable_drefs": "0", "use_absolute_path": "0"}
_PROTECTED_TAGS = {"encv", "enca", "drmi", "drms", "drmt"}


class NoSound(RetakeError):
    """The file has no sound at all."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no sound.", "Use a recording with sound.", code="no_sound")


class NoPicture(RetakeError):
    """The file has no moving picture."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no moving picture.", "Use a video, not a sound file or a picture.", code="no_picture")


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an existing, non-empty file, or raise RetakeError (missing_file, not_a_file, empty_file, not_readable)."""
    path = Path(path).absolute()
    if path.is_dir():
        raise RetakeError(f"{path} is a folder.", "Give a video or sound file.", code="not_a_file")
    if not path.exists():
        raise RetakeError(f"{path} does not exist.", "Check the name and the folder.", kind=ErrorKind.NOT_FOUND, code="missing_file")
    if not os.access(path, os.R_OK):
        raise RetakeError(f"{path} may not be read.", "Give yourself permission to read it.", kind=ErrorKind.ENVIRONMENT, code="not_readable")
    if path.stat().st_size == 0:
        raise RetakeError(f"{path.name} is empty (zero bytes).", "Copy or export the file again.", code="empty_file")
    return path


@contextlib.contextmanager
def open_media(path: str | os.PathLike[str]) -> Iterator[InputContainer]:
    """Open a local media file for reading.

    Raises:
        RetakeError: codes missing_file, not_a_file, empty_file, not_readable, still_picture, corrupt, not_media or too_many_streams.
    """
    path = check_file(path)
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS):
        raise RetakeError(f"{path.name} is a still picture.", "Use a video of the person talking.", code="still_picture")
    try:
        # The absolute path keeps a file named like a protocol ("concat:x") a file.
        patience = max(1.0, min(OPENING_SECONDS, limits().decode_seconds))
        container = av.open(str(path), options=dict(_OPTIONS), metadata_errors="replace", timeout=(patience, patience))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if _looks_like_container(head):
            raise RetakeError(f"{path.name} is damaged or cut off and cannot be opened.", "Copy or export the file again.", code="corrupt") from error
        raise RetakeError(
            f"{path.name} is not a video or sound file that can be read.", "Use mp4, mov, mkv, webm or wav.", code="not_media"
        ) from error
    try:
        check_streams(len(container.streams), path.name)
        if not container.streams:
            raise RetakeError(f"{path.name} is damaged: nothing in it can be read.", "Copy or export the file again.", code="corrupt")
        yield container
    finally:
        container.close()


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The main moving picture: cover art and thumbnails are none.

    Raises NoPicture, or RetakeError (unknown_codec, protected, picture_too_large).
    """
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        raise NoPicture(name)
    best = container.streams.best("video")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    _check_decodable(stream, name, "picture")
    context = stream.codec_context
    check_picture(context.width, context.height, name)
    if not context.is_open:
        # The header of a frame inside the stream may claim another size: the decoder refuses it before it makes room for it. Decoders count
        # rows as long as they are in memory, so a little more is let through here; readers look at every frame.
        context.options = {**context.options, "max_pixels": str(limits().pixels + 64 * LONGEST_SIDE)}
    return stream


def audio_stream(container: InputContainer, name: str) -> AudioStream:
    """The main sound. Raises NoSound, or RetakeError (unknown_codec, protected, absurd_rate)."""
    streams = container.streams.audio
    if not streams:
        raise NoSound(name)
    best = container.streams.best("audio")
    stream = next((s for s in streams if best is not None and s.index == best.index), streams[0])
    _check_decodable(stream, name, "sound")
    check_sample_rate(stream.codec_context.sample_rate, name)
    return stream


def _is_cover(stream: VideoStream) -> bool:
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return bool(stream.disposition & covers)


def _check_decodable(stream: VideoStream | AudioStream, name: str, what: str) -> None:
    context = stream.codec_context
    if _tag(stream) in _PROTECTED_TAGS:
        raise RetakeError(f"The {what} of {name} is copy-protected.", "Use a file without copy protection.", code="protected")
    if context is None or getattr(context, "codec", None) is None or context.name in ("", "unknown"):
        raise RetakeError(f"The {what} of {name} has a format that is not known.", "Export it as H.264 with AAC in mp4.", code="unknown_codec")


def _tag(stream: VideoStream | AudioStream) -> str:
    try:
        return str(stream.codec_context.codec_tag)
    except (UnicodeDecodeError, AttributeError):
        return ""  # tags are four bytes of anything; those that matter here are letters


def _looks_like_container(head: bytes) -> bool:
    transport_stream = len(head) > 376 and head[0] == head[188] == head[376] == 0x47
    return transport_stream or head.startswith(_CONTAINERS) or head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
