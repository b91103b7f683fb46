"""Where Retake keeps its state, the user's settings, and how a process of ours is set up (threads, nothing phoning home).

Nothing here happens at import: the command line (and later the daemon) calls `prepare_process` first thing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retake.domain.errors import ErrorKind, RetakeError

HOME_VARIABLE = "RETAKE_HOME"

# Read by libraries when they are imported, so they are set before. What each would do otherwise: docs/privacy.md.
QUIET_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # for a newer ONNX Runtime than the pinned ones, which have none outside Windows
    "DBOS__CLOUD": "false",  # else DBOS would report to its makers' service, with a key from the environment
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",  # else, with OpenTelemetry's SDK in the environment, requests would be traced to wherever it says
    "MPLBACKEND": "Agg",  # plots are drawn into files; a window system is neither needed nor looked for
    "GLOG_minloglevel": "2",  # MediaPipe's and TensorFlow Lite's start-up chatter on stderr
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# Threads that wait for work give their core away. By default they spin: with another program on the machine, learning a voice
# with spinning threads took 142 s where it takes 26 s without (two cores, 30 steps).
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Group):
    """How the daemon is reached."""

    port: int = Field(default=7420, ge=0, le=65535, description="0: any free one")
    listen: str = Field(default="127.0.0.1", description="address to listen at; anything but this machine's own needs thought, see docs/daemon.md")
    hosts: tuple[str, ...] = Field(default=(), description="further names by which the daemon may be addressed (Host header)")
    origins: tuple[str, ...] = Field(default=(), description="web pages that may call it, such as https://edit.example.org; none by default")
    certificate: str = Field(default="", description="PEM file; with it the daemon speaks HTTPS")
    key: str = Field(default="", description="PEM file of the certificate's key")
    roots: tuple[str, ...] = Field(default=(), description="folders from which callers may name files and to which they may have takes delivered")
    webhook_hosts: tuple[str, ...] = Field(default=(), description="hosts that may be told when a job is over; none by default")


class LimitSettings(_Group):
    """What is accepted. Larger things are refused with a message that names the limit."""

    upload_bytes: int = Field(default=4 * 1024**3, ge=1024)
    media_seconds: float = Field(default=3600.0, gt=0, description="longest video or recording")
    media_pixels: int = Field(default=7680 * 4320, ge=4096, description="largest picture")
    decode_seconds: float = Field(default=900.0, gt=0, description="longest time that reading one reference may take")


class RetentionSettings(_Group):
    """What is removed by itself, and when. 0 means never."""

    jobs_days: float = Field(default=90.0, ge=0, description="finished jobs in the history, their logs and results")
    events_days: float = Field(default=2.0, ge=0)
    uploads_days: float = Field(default=2.0, ge=0, description="uploads that no waiting or running job needs")
    takes_days: float = Field(default=0.0, ge=0, description="takes that were not asked for since")
    takes_bytes: int = Field(default=0, ge=0, description="space for takes; the oldest go first")
    cache_bytes: int = Field(default=5 * 1000**3, ge=0, description="space for caches; what was not used for longest goes first")


class WatchSettings(_Group):
    """A folder whose files are rendered."""

    folder: str
    speaker: str = Field(default="", description="for files that name none")
    polling: bool | None = Field(default=None, description="look instead of being told; None: only where the file system cannot tell")


class LanguageModelSettings(_Group):
    """The language model that helps with scripts (docs/script-help.md). Its key is in the environment or the key store, never here."""

    model: str = Field(default="gpt-4.1", min_length=1, max_length=200)
    base_url: str = Field(default="", max_length=500, description="of a server that speaks OpenAI's API; empty: OpenAI")
    timeout: float = Field(default=120.0, gt=0, le=3600, description="seconds without an answer")
    retries: int = Field(default=2, ge=0, le=10, description="after busy or failing answers")
    dollars_sent: float = Field(default=0.0, ge=0, description="price of a million tokens sent; 0: as far as it is known")
    dollars_received: float = Field(default=0.0, ge=0)


class Settings(BaseModel):
    """What a user may set, in `settings.json` in the home folder. Unknown keys are refused, so that a typing error is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = 1
    threads: int = Field(default=0, ge=0, le=256, description="threads to compute with; 0 = as many as there are cores")
    voice_engine: str = "embedded"
    lips_engine: str = "embedded"
    account: str = Field(default="", description="name written into consent records; empty = the account of the operating system")
    database: str = Field(default="", description="postgresql://... for several machines; empty = a file in the home folder")
    artefacts: str = Field(default="", description="folder or fsspec address that several machines share; empty = the home folder is enough")
    workers: int = Field(default=0, ge=0, le=64, description="jobs rendered at once on this machine; 0 = one for each GPU, or one")
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    language_model: LanguageModelSettings = LanguageModelSettings()
    watch: tuple[WatchSettings, ...] = ()


def home() -> Path:
    """Folder of everything Retake stores: `RETAKE_HOME`, else the user's data folder. It is not created here."""
    chosen = os.environ.get(HOME_VARIABLE, "").strip()
    if chosen:
        return Path(chosen).expanduser().resolve()
    import platformdirs

    return Path(platformdirs.user_data_dir("retake", appauthor=False))


def prepare_home(folder: Path) -> Path:
    """Create the home folder, for its owner's eyes only; raises RetakeError where that is impossible. One that exists is left as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it will hold faces and voices
    except OSError as error:
        raise RetakeError(
            f"The folder {folder} cannot be made ({error.strerror or error}).",
            f"Set {HOME_VARIABLE} to a folder that you may write to.",
            kind=ErrorKind.ENVIRONMENT,
            code="home_not_writable",
        ) from error
    return folder


def load_settings(folder: Path) -> Settings:
    """Settings of the home folder `folder`; the defaults where there is no file."""
    path = folder / "settings.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise RetakeError(
            f"{path} cannot be read ({error}).", "Correct or delete the file.", kind=ErrorKind.ENVIRONMENT, code="bad_settings"
        ) from error
    try:
        return Settings.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RetakeError(
            f"{path}: {where}: {first['msg']}.",
            f"Known settings are {', '.join(Settings.model_fields)}; correct or delete the file.",
            kind=ErrorKind.ENVIRONMENT,
            code="bad_settings",
        ) from error


def save_settings(folder: Path, settings: Settings) -> None:
    """Write `settings.json`, complete or not at all."""
    from retake.media.files import atomic_text

    prepare_home(folder)
    atomic_text(folder / "settings.json", settings.model_dump_json(indent=2) + "\n")


def available_cores() -> int:
    """Cores this process may use: those it is bound to, or fewer where a container's quota is smaller (control groups v2 and v1)."""
    if sys.platform == "linux":
        cores = len(os.sched_getaffinity(0))
        quota = _control_group_quota()
        return max(1, min(cores, quota)) if quota else max(1, cores)
    return max(1, os.cpu_count() or 1)


def _control_group_quota() -> int:
    """Whole cores of this container's quota, 0 where there is none."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return 0
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return 0  # "max" or -1: no quota
    return -(-int(quota) // int(period))


def use_cores(threads: int = 0) -> int:
    """Let numerical libraries use `threads` threads (0: all available cores) and return that number.

    Libraries read the environment when they are loaded; those that are loaded already are told. Variables that the user has set stay.
    """
    count = threads or available_cores()
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, str(count))
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
    cv2 = sys.modules.get("cv2")
    if cv2 is not None:
        cv2.setNumThreads(count)
    return count


def quiet_environment(folder: Path) -> None:
    """Switch off what dependencies would send, look up or scatter; variables that the user has set stay, except the telemetry switches."""
    for name, value in QUIET_ENVIRONMENT.items():
        if name.startswith(("HF_", "TRANSFORMERS_", "DO_NOT", "ORT_", "DBOS_", "FASTAPI_OTEL")):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)
    os.environ.setdefault("MPLCONFIGDIR", str(folder / "cache" / "matplotlib"))


def prepare_process(folder: Path, *, threads: int = 0) -> Settings:
    """Set this process up for work with the home folder `folder`: settings, threads (0: as the settings say), environment."""
    from retake.media.limits import MediaLimits, use_limits

    settings = load_settings(folder)
    limits = settings.limits
    use_limits(MediaLimits(seconds=limits.media_seconds, pixels=limits.media_pixels, decode_seconds=limits.decode_seconds))
    quiet_environment(folder)
    use_cores(threads or settings.threads)
    return settings
