"""Entry point of a host: ``python -I run.py``, with the engine's own Python."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Last, so that nothing here can stand in for a package of the engine.
    sys.path.append(str(Path(__file__).resolve().parent))
    from retake_host.main import main  # pyright: ignore[reportMissingImports] - the path above is known only when this runs

    main()
