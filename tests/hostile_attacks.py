"""All attacks, in the order in which they are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import hostile_calls
import hostile_files
import hostile_sockets
from hostile_target import Scale, Target

ATTACKS: dict[str, Callable[[Target, Scale], Counter[str]]] = {
    "generated calls": hostile_calls.generated,
    "bad names in fields": hostile_calls.fields,
    "callers": hostile_calls.callers,
    "bodies": hostile_calls.bodies,
    "links in own folders": hostile_files.own_folders,
    "framing": hostile_sockets.framing,
    "slow callers": hostile_sockets.trickle,
    "unread event streams": hostile_sockets.streams,
    "idle connections": hostile_sockets.idle,
    "timelines": hostile_files.timelines,
    "watch folder": hostile_files.watch_folder,
    "damaged videos": hostile_files.videos,
    "a good line": hostile_files.good_line,
}
