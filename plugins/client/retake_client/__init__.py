"""HTTP client for the Retake daemon that needs nothing but Python itself (3.9 or newer); shared by the command line and the editors' plugins.

Programs that must never wait use a session (`retake_client.session`); what they show comes from `states` and `doctor`, what is script text is said by
`convention`. Scripts call the daemon themselves:

client = Client.local(name="my plugin")
job = client.submit({"kind": "line", "request": {"speaker": "anna", "text": "We ship on Friday."}})
done = client.wait(job["id"])
client.download_take(done["result"]["takes"][0], "friday.mp4")
"""

from .client import Client
from .connection import Connection, default_home
from .errors import (
    BadRequest,
    ClientError,
    Conflict,
    Damaged,
    LocalFault,
    NoDaemon,
    NotFound,
    Refused,
    ServerFailed,
    TimedOut,
    Unreachable,
    UnsafeConnection,
    VersionMismatch,
)
from .events import Event
from .transfers import Stopped
from .transport import API, VERSION, Transport

__all__ = [
    "API",
    "VERSION",
    "BadRequest",
    "Client",
    "ClientError",
    "Conflict",
    "Connection",
    "Damaged",
    "Event",
    "LocalFault",
    "NoDaemon",
    "NotFound",
    "Refused",
    "ServerFailed",
    "Stopped",
    "TimedOut",
    "Transport",
    "Unreachable",
    "UnsafeConnection",
    "VersionMismatch",
    "default_home",
]
