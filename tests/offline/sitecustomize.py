"""Loaded by Python at start-up when this folder is on its path: this process and its children cannot leave the machine.

Twice over. An audit hook (PEP 578) sees look-ups, connections and datagrams of the interpreter's own sockets, whichever module makes them, refuses
those that leave the machine and notes them. Sockets that native code opens never pass through the interpreter: on Linux the kernel refuses them
(seccomp, which needs no rights: socket(AF_INET) and socket(AF_INET6) fail with EACCES in this process, its threads and its children).

With RETAKE_TEST_NETWORK=loopback the process and its children may talk to each other: instead of refusing sockets the kernel gives them a network of
their own with nothing but a loopback in it (a network namespace; where the user may not make one, the audit hook alone is left).
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

_LOG = os.environ.get("RETAKE_TEST_REFUSED", "")
_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})

# linux/audit.h and the system call tables: machine -> (architecture, number of socket).
_SYSTEM_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: load a word, jump if equal, return
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40  # linux/sockios.h, linux/if.h
_ALLOW, _EACCES = 0x7FFF0000, 0x00050000 | 13


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


def _is_local(host: object) -> bool:
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    return name in _LOCAL or name.startswith("127.")


def _note(text: str) -> None:
    if _LOG:
        with Path(_LOG).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _EVENTS:
        return
    target: object = arguments[0] if event.startswith("socket.get") else arguments[1]
    if isinstance(target, str | bytes) and not event.startswith("socket.get"):
        return  # a path: sockets between processes of this machine
    host = target[0] if isinstance(target, tuple) and target else target
    if _is_local(host):
        return
    _note(f"{event} {target!r}")
    raise PermissionError(f"no connection may leave this machine: {event} {target!r}")


def _refuse_in_the_kernel() -> bool:
    """Forbid internet sockets to this process for good; False where that is not possible (not Linux, another processor)."""
    if sys.platform != "linux" or platform.machine() not in _SYSTEM_CALLS:
        return False
    architecture, socket_number = _SYSTEM_CALLS[platform.machine()]
    steps = (
        (_LOAD, 0, 0, 4),  # struct seccomp_data: nr, arch, instruction pointer, arguments
        (_EQUAL, 0, 6, architecture),
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 4, socket_number),
        (_LOAD, 0, 0, 16),  # low half of the first argument: the address family
        (_EQUAL, 1, 0, 2),  # AF_INET
        (_EQUAL, 0, 1, 10),  # AF_INET6
        (_RETURN, 0, 0, _EACCES),
        (_RETURN, 0, 0, _ALLOW),
    )
    instructions = (_Instruction * len(steps))(*(_Instruction(*step) for step in steps))
    program = _Program(len(steps), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0


def _own_loopback() -> bool:
    """Move this process into a network of its own; False where that is not possible."""
    if sys.platform != "linux":
        return False
    import fcntl
    import socket
    import struct

    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNET) != 0:
        if libc.unshare(_CLONE_NEWNET | _CLONE_NEWUSER) != 0:
            return False
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _IFF_UP | _IFF_RUNNING, b""))
    return True


sys.addaudithook(_guard)
if os.environ.get("RETAKE_TEST_NETWORK") == "loopback":
    os.environ["RETAKE_TEST_KERNEL_GUARD"] = "1" if _own_loopback() else "0"
    os.environ["RETAKE_TEST_NETWORK"] = "inherited"  # children live in the same network
elif os.environ.get("RETAKE_TEST_NETWORK") != "inherited":
    os.environ["RETAKE_TEST_KERNEL_GUARD"] = "1" if _refuse_in_the_kernel() else "0"
