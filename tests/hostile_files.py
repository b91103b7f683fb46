"""Files that mean harm: links and devices in the open folders, damaged and lying media, timelines and texts that blow up."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hostile_target import SECRET, Scale, Target
from media_samples import make_video, tone

OCTETS = {"Content-Type": "application/octet-stream"}
CONSENT = "I agree to be reproduced."


def traps(target: Target) -> list[str]:
    """Paths in the open folder that lead out of it or are no files; made where they are not there yet."""
    root = target.root
    links = {
        "file.mp4": target.outside / "secret.txt",
        "folder": target.outside,
        "up": "..",
        "loop": "loop",
        "chain": "chain-2",
        "chain-2": "folder",
        "home": target.running.home,
        "zero.mp4": "/dev/zero",
        "nowhere": target.outside / "not-there",
        "slash": "/",
    }
    for name, to in links.items():
        if not (root / name).is_symlink():
            (root / name).symlink_to(to)
    if not (root / "pipe.mp4").exists():
        os.mkfifo(root / "pipe.mp4")
        (root / "dir.mp4").mkdir()
        with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(root):  # such addresses are short
            made.bind("socket.mp4")
        with contextlib.suppress(PermissionError):  # not everybody may make one
            os.mknod(root / "device.mp4", 0o600 | 0o020000, os.makedev(1, 5))
    names = [
        "file.mp4",
        "folder/secret.txt",
        "folder/new.mp4",
        "up/outside/secret.txt",
        "loop",
        "loop/x",
        "chain/secret.txt",
        "home/token",
        "zero.mp4",
        "nowhere",
        "nowhere/x.mp4",
        "slash/etc/passwd",
        "pipe.mp4",
        "pipe.mp4/x",
        "dir.mp4/",
        "socket.mp4",
        "device.mp4",
    ]
    return [f"{root}/{name}" for name in names]


def own_folders(target: Target, scale: Scale) -> Counter[str]:
    """Links that somebody has put into Retake's own folders of uploads and takes: nothing behind them is sent or used."""
    outcomes: Counter[str] = Counter()
    home, secret = target.running.home, target.outside / "secret.txt"
    text = target.http.put("/v1/uploads", content=b"Hello there.", headers=OCTETS).json()["id"]
    content = next((home / "uploads" / text).glob("content*"))
    content.unlink()
    content.symlink_to(secret)
    target.ask(outcomes, "GET", f"/v1/uploads/{text}", "24")
    for spec in (
        {"kind": "timeline", "timeline": f"upload:{text}"},
        {"kind": "enrol", "reference": f"upload:{text}", "name": "mallory", "consent": CONSENT},
    ):
        target.ask(outcomes, "POST", "/v1/jobs", json={"spec": spec})
    target.ask(outcomes, "DELETE", f"/v1/uploads/{text}", "24")
    linked = home / "uploads" / ("e" * 32)
    linked.symlink_to(target.outside)
    begun = target.http.post("/v1/uploads", json={"size": 5}).json()["id"]
    part = home / "uploads" / begun / "part"
    part.unlink()
    part.symlink_to(secret)
    headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    target.ask(outcomes, "PATCH", f"/v1/uploads/{begun}", content=b"evil!", headers=headers)
    target.ask(outcomes, "PATCH", f"/v1/uploads/{begun}", content=b"evil!", headers={**headers, "Upload-Offset": str(len(SECRET))})
    for path in (f"/v1/uploads/{begun}", f"/v1/uploads/{'e' * 32}"):
        target.ask(outcomes, "DELETE", path, "24")
    takes = home / "takes"
    takes.mkdir(exist_ok=True)
    (takes / ("a" * 16)).symlink_to(target.outside)
    (takes / ("b" * 16)).mkdir()
    for name in ("take.mp4", "take.json", "poster.png", "report.html", "take.srt", "take.otio"):
        (takes / ("b" * 16) / name).symlink_to(secret)
    for take in ("a" * 16, "b" * 16):
        for part_of in ("", "/media", "/poster", "/captions", "/report", "/timeline"):
            target.ask(outcomes, "GET", f"/v1/takes/{take}{part_of}")
        target.ask(outcomes, "DELETE", f"/v1/takes/{take}", "24")
    target.ask(outcomes, "GET", "/v1/takes", "2")
    target.ask(outcomes, "GET", "/v1/uploads", "2")
    for path in (linked, takes / ("a" * 16)):
        path.unlink(missing_ok=True)
    return outcomes


def small_clip(folder: Path) -> bytes:
    """A good clip of 3 s: too short to enrol, so that what can still be read ends soon."""
    return make_video(folder / "good.mp4", frames=75, size=(160, 96), sound=tone(3.0, 48000), faststart=True).read_bytes()


def videos(target: Target, scale: Scale) -> Counter[str]:
    """A good clip with bytes flipped, seed by seed, sent and enrolled; and whole ones that lie about what they hold."""
    outcomes: Counter[str] = Counter()
    good = small_clip(target.place / "temporary")
    made = {f"flipped {seed}": flipped(good, seed) for seed in range(scale.videos)}
    made |= liars(good, target.place / "temporary")
    jobs: list[str] = []
    for number, (name, data) in enumerate(made.items()):
        if number % 10 == 9:  # some from the open folder, without what an upload is looked at for
            path = target.root / f"{name.replace(' ', '-')}.mp4"
            path.write_bytes(data)
            reference: str | None = str(path)
        else:
            reference = _sent(target, outcomes, data, name)
        if reference is None:
            continue
        answer = target.ask(outcomes, "POST", "/v1/speakers", "24", json={"name": f"mallory-{number}", "reference": reference, "consent": CONSENT})
        if answer is not None and answer.status_code == 201:
            jobs.append(answer.json()["id"])
    del outcomes["201"]  # that they were taken is not how they ended
    ended = target.finish_all(jobs, outcomes, 60.0 + 3.0 * len(jobs), "a damaged video")
    for job in ended.values():
        if job["state"] == "succeeded":
            target.problem(f"{job['label']} became a speaker")
    left = [path.name for path in (target.running.home / "speakers").iterdir() if path.name != "presenter"]
    if left:
        target.problem(f"left in the folder of speakers: {left}")
    return outcomes


def _sent(target: Target, outcomes: Counter[str], data: bytes, name: str) -> str | None:
    answer = target.ask(outcomes, "PUT", "/v1/uploads", "24", content=data, headers=OCTETS, params={"name": name})
    return answer.json()["reference"] if answer is not None and answer.status_code == 201 else None


def flipped(good: bytes, seed: int) -> bytes:
    """`good` with 1 to 300 bytes changed; half of the times near its start, where everything that describes it lies."""
    chance = random.Random(seed)
    out = bytearray(good)
    span = len(out) if seed % 2 else 4000
    for _ in range(chance.choice([1, 3, 10, 30, 100, 300])):
        out[chance.randrange(span)] ^= 1 << chance.randrange(8)
    return bytes(out)


def liars(good: bytes, folder: Path) -> dict[str, bytes]:
    """Files that claim what they do not hold."""

    def patched(box: bytes, offset: int, value: bytes) -> bytes:
        out = bytearray(good)
        for found in re.finditer(re.escape(box), good):
            out[found.start() + offset : found.start() + offset + len(value)] = value
        return bytes(out)

    big = struct.pack(">I", 10**9)
    avi = make_video(folder / "big.avi", codec="mpeg4", frames=75, options={"qscale": "5"}).read_bytes()
    wide = bytearray(avi)
    at = avi.index(b"strf") + 8
    wide[at + 4 : at + 12] = struct.pack("<ii", 100_000, 100_000)
    head = avi.index(b"avih") + 8
    wide[head + 32 : head + 40] = struct.pack("<II", 100_000, 100_000)
    many = bytearray(avi)
    many[head + 16 : head + 20] = struct.pack("<I", 2**31 - 1)
    long = make_video(folder / "long.mkv", frames=2, times=[0.0, 1e6]).read_bytes()
    tiny = make_video(folder / "tiny.mp4", frames=75, size=(16, 16), sound=tone(3.0, 48000)).read_bytes()
    noise = np.random.default_rng(1).integers(0, 256, 100_000, dtype=np.uint8).tobytes()
    return {
        "65535x65535 in the sample entry": patched(b"avc1", 28, b"\xff\xff\xff\xff"),
        "65535x65535 in the track": patched(b"tkhd", 80, b"\xff\xff\x00\x00" * 2),
        "100000x100000 in an avi": bytes(wide),
        "2^31 frames in an avi": bytes(many),
        "10^9 frames of one byte": patched(b"stsz", 8, struct.pack(">I", 1) + big),
        "10^9 sizes": patched(b"stsz", 12, big),
        "10^9 entries of times": patched(b"stts", 8, big),
        "10^9 frames of one time": patched(b"stts", 12, big),
        "10^9 chunks": patched(b"stco", 8, big),
        "10^9 samples a chunk": patched(b"stsc", 16, big),
        "10^9 entries of descriptions": patched(b"stsd", 8, big),
        "lasts for ever": patched(b"mdhd", 20, b"\xff\xff\xff\xff"),
        "a time scale of zero": patched(b"mdhd", 16, b"\x00\x00\x00\x00"),
        "a box of 2^63 bytes": patched(b"moov", -4, b"\x00\x00\x00\x01"),
        "a box of no bytes": patched(b"trak", -4, b"\x00\x00\x00\x00"),
        "boxes within boxes": good[:32] + b"".join(struct.pack(">I", 8 * (5000 - n)) + b"moov" for n in range(5000)),
        "eleven days in two frames": long,
        "16x16": tiny,
        "half": good[: len(good) // 2],
        "a head": good[:4096],
        "a tail": good[-4096:],
        "one byte": good[:1],
        "nothing": b"",
        "noise": noise,
        "zeros": bytes(100_000),
        "a head and noise": good[:40] + noise,
        "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "a list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "a session": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "DASH": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>file:///etc/passwd</BaseURL></MPD>',
        "a picture that is a script": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "an archive": b"PK\x03\x04" + noise[:200],
        "a program": b"\x7fELF" + noise[:200],
    }


def _clip(value: Any = 75, rate: Any = 25, metadata: Any = None, **more: Any) -> dict[str, Any]:
    def moment(number: Any) -> dict[str, Any]:
        return {"OTIO_SCHEMA": "RationalTime.1", "value": number, "rate": rate}

    window = {"OTIO_SCHEMA": "TimeRange.1", "start_time": moment(0), "duration": moment(value)}
    line = {"text": "Hello there.", "speaker": "presenter"} if metadata is None else metadata
    empty = {"DEFAULT_MEDIA": {"OTIO_SCHEMA": "MissingReference.1"}}
    return {
        "OTIO_SCHEMA": "Clip.2",
        "name": "a",
        "metadata": {"retake": line},
        "source_range": window,
        "media_references": empty,
        "active_media_reference_key": "DEFAULT_MEDIA",
        **more,
    }


def _timeline(children: Any, **more: Any) -> dict[str, Any]:
    track = {"OTIO_SCHEMA": "Track.1", "kind": "Video", "name": "V1", "children": children}
    return {"OTIO_SCHEMA": "Timeline.1", "name": "t", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": [track]}, **more}


def bad_timelines(target: Target) -> dict[str, bytes]:
    """Timelines that are none, or ask for what cannot be."""
    nan, inf = float("nan"), float("inf")
    nested: Any = _clip()
    for _ in range(40):
        nested = {"OTIO_SCHEMA": "Stack.1", "children": [nested]}
    paths = [
        "/etc/passwd",
        "../../outside/secret.txt",
        f"{target.outside}/secret.txt",
        f"{target.root}/file.mp4",
        "http://127.0.0.1:1/x",
        "\x00",
        f"{target.root}/pipe.mp4",
    ]
    made: dict[str, Any] = {
        **{f"lasts {value}": _timeline([_clip(value)]) for value in (nan, inf, -inf, -75, 0, 1e308, 1e18, 0.5, "75", None, [75], True)},
        **{f"rate {rate}": _timeline([_clip(75, rate)]) for rate in (nan, inf, -25, 0, 1e308, 1e-308, "25", None)},
        **{f"recording {path[-20:]}": _timeline([_clip(metadata={"audio": path, "speaker": "presenter"})]) for path in paths},
        **{f"speaker {name[-20:]}": _timeline([_clip(metadata={"text": "Hi.", "speaker": name})]) for name in ("../x", "", "a" * 9999, "\x00")},
        **{
            f"line {str(line)[:20]}": _timeline([_clip(metadata=line)])
            for line in (
                {"text": 1, "speaker": "presenter"},
                {"text": ["a"], "speaker": {}},
                {"text": "x" * 1_000_000, "speaker": "presenter"},
                [],
                "text",
                1,
                {"text": "Hi.", "speaker": "presenter", "seed": -1},
                {"text": "Hi.", "speaker": "presenter", "seed": 10**30},
                {"text": "Hi.", "speaker": "presenter", "width": 10**9, "height": 10**9},
                {"text": "\ud800", "speaker": "presenter"},
                {"text": "Hi.", "speaker": "presenter", "voice_engine": "../../x"},
                {"text": "Hi.", "speaker": "presenter", "line": "../" * 30},
            )
        },
        "40 stacks": _timeline([nested]),
        "unknown": {"OTIO_SCHEMA": "Evil.1", "children": []},
        "from the future": {"OTIO_SCHEMA": "Timeline.999", "tracks": {"OTIO_SCHEMA": "Stack.1", "children": []}},
        "unknown inside": _timeline([{"OTIO_SCHEMA": "Evil.7", "x": 1}, _clip()]),
        "no number": {"OTIO_SCHEMA": "Timeline"},
        "version -1": {"OTIO_SCHEMA": "Timeline.-1"},
        "version 10^30": {"OTIO_SCHEMA": f"Timeline.{10**30}"},
        "schema 5": {"OTIO_SCHEMA": 5},
        "tracks 5": _timeline([], tracks=5),
        "tracks null": _timeline([], tracks=None),
        "children 5": _timeline(5),
        "children of texts": _timeline(["a", None, 5]),
        "a timeline within": _timeline([_timeline([_clip()])]),
        "a time as a clip": _timeline([_clip()["source_range"]]),
        "100000 clips": _timeline([{"OTIO_SCHEMA": "Gap.1", "source_range": _clip()["source_range"]} for _ in range(40_000)]),
        "no placeholders": _timeline([]),
        "references to itself": _timeline([{"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "Timeline-1"}], OTIO_REF_ID="Timeline-1"),
        "global start": _timeline([_clip()], global_start_time={"OTIO_SCHEMA": "RationalTime.1", "value": nan, "rate": nan}),
        "reference": _timeline(
            [_clip(media_references={"DEFAULT_MEDIA": {"OTIO_SCHEMA": "ExternalReference.1", "target_url": "file:///etc/passwd"}})]
        ),
        "12000 placeholders": _timeline([_clip() for _ in range(12_000)]),
    }
    deep = 100_000
    texts = {
        "deep": b'{"OTIO_SCHEMA": "Timeline.1", "metadata": ' + b"[" * deep + b"]" * deep + b"}",
        "250 deep": b'{"OTIO_SCHEMA": "Timeline.1", "metadata": ' + b'{"a":' * 250 + b"1" + b"}" * 250 + b"}",
        "cut": json.dumps(_timeline([_clip()])).encode()[:-40],
        "not UTF-8": b'{"OTIO_SCHEMA": "Timeline.1", "name": "\xff\xfe"}',
        "a number of a megabyte": b'{"OTIO_SCHEMA": "Timeline.1", "name": ' + b"9" * 1_000_000 + b"}",
        "names twice": b'{"OTIO_SCHEMA": "Timeline.1", "OTIO_SCHEMA": "Evil.1", "tracks": null, "tracks": 5}',
    }
    return {name: json.dumps(value).encode() for name, value in made.items()} | texts


def timelines(target: Target, scale: Scale) -> Counter[str]:
    """Those, posted; what is taken in must end."""
    outcomes: Counter[str] = Counter()
    traps(target)
    jobs: list[str] = []
    for data in bad_timelines(target).values():
        answer = target.ask(
            outcomes,
            "POST",
            "/v1/timelines",
            "24",
            content=data,
            headers={"Content-Type": "application/json", "Idempotency-Key": f"o-{len(jobs)}"},
        )
        if answer is not None and answer.status_code == 201:
            jobs.append(answer.json()["id"])
    del outcomes["201"]
    target.finish_all(jobs, outcomes, 60.0 + 3.0 * len(jobs), "a bad timeline")
    return outcomes


def watch_folder(target: Target, scale: Scale) -> Counter[str]:
    """Files that blow up, and links, dropped into a watched folder: each ends in failed/ with a reason, or is left alone."""
    outcomes: Counter[str] = Counter()
    bomb = "a0: &a0 lol\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    dropped: dict[str, bytes] = {
        "bomb.yaml": bomb.encode(),
        "bomb.md": f"---\n{bomb}---\nHello.".encode(),
        "bomb.txt": f"---\n{bomb}---\nHello.".encode(),
        "type.yaml": b"!!python/object/apply:os.system ['touch retake-hostile-escape']",
        "deep.yaml": b"[" * 50_000,
        "deep2.yaml": b"- " * 5000 + b"a",
        "indent.yaml": b"".join(b" " * n + b"a:\n" for n in range(500)),
        "big.yaml": b"a: " + b"x" * 2_000_000,
        "tabs.yaml": b"\t\t: :",
        "binary.yaml": bytes(range(256)),
        "merge.yaml": b"<<: {a: b}\ntext: hi",
        "deep.json": b"[" * 100_000,
        "huge.json": b"9" * 1_000_000,
        "nan.json": b'{"text": "Hi.", "fit": NaN}',
        "twice.json": b'{"text": "a", "text": "b"}',
        "quotes.json": b'"' + b"\\" * 999_999,
        "many.json": b"[" + b",".join([b'"a"'] * 50_000) + b"]",
        "big.json": b'"' + b"x" * 20_000_000 + b'"',
        "wide.csv": b",".join(b"c%d" % n for n in range(100_000)) + b"\n",
        "long.csv": b"text\n" + b"x" * 20_000_000,
        "rows.csv": b"text\n" + b"Hello.\n" * 50_000,
        "quote.csv": b'text\n"' + b"a\n" * 100_000,
        "nul.csv": b"text\n\x00\x00\n",
        "python.csv": b"name,text\nA,{name.__class__.__mro__}\n",
        "width.csv": b"name,text\nA,{name:>999999999}\n",
        "index.csv": b"name,text\nA,{0}{}{name[0]}\n",
        "up.csv": b"text,output\nHello.,../../outside/x\nHello you.,/etc/x\nHello me.,a/../../x\n" + b"z" * 9 + b",x,y,z,z,z\n",
        "up.md": b"---\noutput: ../../../../outside/x\nfps: -1\n---\nHello.",
        "size.md": b"---\nsize: 999999999x999999999\n---\nHello.",
        "fit.md": b"---\nfit: 1e308\n---\nHello.",
        "seed.md": b"---\nseed: " + b"9" * 5000 + b"\n---\nHello.",
        "speaker.md": b"---\nspeaker: ../../outside\n---\nHello.",
        "fps.md": b"---\nfps: 1/0\n---\nHello.",
        "back.srt": b"1\n00:00:05,000 --> 00:00:01,000\nHello.\n",
        "far.srt": b"1\n99999999999:00:00,000 --> 999999999999:00:01,000\nHello.\n",
        "no.srt": b"-->" * 100_000,
        "digits.srt": b"9" * 1_000_000,
        "big.txt": b"word " * 5_000_000,
        "latin.txt": b"caf\xe9 \xff",
        "utf16.txt": b"\xff\xfe\x00\xd8",
        "nul.txt": b"a\x00b" * 1000,
        "empty.txt": b"",
        "one.txt": b"x" * 100_000,
        "deep.otio": b"[" * 100_000,
        "none.otio": b"{}",
        "cut.otio": b'{"OTIO_SCHEMA": "Timeline.1", "tracks"',
        "nan.otio": json.dumps(_timeline([_clip(float("nan"))])).encode(),
        "minus.otio": json.dumps(_timeline([_clip(-5)])).encode(),
        "out.otio": json.dumps(_timeline([_clip(metadata={"audio": "/etc/passwd", "speaker": "presenter"})])).encode(),
        "zip.json": b"PK\x03\x04" + bytes(1000),
    }
    if scale.slow < Scale().slow:
        del dropped["empty.txt"]  # it is given 10 s in which it might be written
    for name, data in dropped.items():
        hidden = target.watched / f".{name}"
        hidden.write_bytes(data)
        hidden.rename(target.watched / name)
    links = {
        "link.txt": target.outside / "secret.txt",
        "link.md": target.running.home / "token",
        "loop.txt": "loop.txt",
        "gone.yaml": "nothing",
        "zero.csv": "/dev/zero",
    }
    for name, to in links.items():
        (target.watched / name).symlink_to(to)
    os.mkfifo(target.watched / "pipe.txt")
    (target.watched / "folder.txt").mkdir()
    failed, done = target.watched / "failed", target.watched / "done"
    end = time.monotonic() + 150
    while time.monotonic() < end:
        ended = {path.name for folder in (failed, done) if folder.is_dir() for path in folder.iterdir()}
        if set(dropped) <= ended:
            break
        _stop_what_runs(target)
        time.sleep(0.5)
    for name in dropped:
        reason = failed / f"{name}.error.txt"
        if reason.is_file():
            text = reason.read_text(encoding="utf-8")
            outcomes["failed, with a reason"] += 1
            if "Traceback" in text or SECRET in text or len(text) < 20:
                target.problem(f"{name}: {text[:300]}")
        elif (done / name).exists():
            outcomes["done"] += 1
        else:
            where = [str(path.relative_to(target.watched)) for path in target.watched.rglob(f"*{name}*")]
            target.problem(f"{name} is neither in failed/ with a reason nor in done/: {where}")
    for name in [*links, "pipe.txt", "folder.txt"]:
        alone = (target.watched / name).is_symlink() or (target.watched / name).exists()
        outcomes["left alone" if alone else "taken"] += 1
        if not alone:
            target.problem(f"{name} was taken")
    return outcomes


def _stop_what_runs(target: Target) -> None:
    """What was read without complaint asks for hours of video: reading it was the question."""
    for job in target.http.get("/v1/jobs", params={"state": ["queued", "running"], "limit": 100}).json()["jobs"]:
        target.http.post(f"/v1/jobs/{job['id']}/cancel")


def good_line(target: Target, scale: Scale) -> Counter[str]:
    """After all of it, a line is rendered as ever."""
    outcomes: Counter[str] = Counter()
    job = target.http.post("/v1/jobs", json=target.line("After all of this, we still ship on Friday.")).json()["id"]
    ended = target.finish_all([job], outcomes, 120.0, "a good line")[job]
    if ended["state"] != "succeeded":
        target.problem(f"a good line: {ended['error']}")
        return outcomes
    media = target.http.get(f"/v1/takes/{ended['result']['takes'][0]}/media").content
    path = target.place / "temporary" / "good-line.mp4"
    path.write_bytes(media)
    from retake.media.reader import read_frames

    outcomes["frames decoded"] += sum(1 for _ in read_frames(path))
    if outcomes["frames decoded"] < 25:
        target.problem("the clip of a good line has next to no frames")
    return outcomes
