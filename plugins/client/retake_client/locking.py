"""One file, held by one process at a time. What is held is let go when the file is closed, or its process ends."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":

    def hold(handle: int) -> bool:
        """Whether the open file `handle` is now held by us alone; never waits."""
        import msvcrt

        try:
            os.lseek(handle, 2**40, os.SEEK_SET)  # far behind the content, which stays readable
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        except OSError:
            return False
        return True

else:

    def hold(handle: int) -> bool:
        """Whether the open file `handle` is now held by us alone; never waits."""
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
