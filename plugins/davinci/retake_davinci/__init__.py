"""Retake inside DaVinci Resolve: scripts that put takes on its timeline. Python 3.9 or newer, and nothing but Python and retake_client.

`bridge` alone imports Resolve's module; everything else is given the objects it returns.
"""

from .errors import EditorError

__version__ = "0.1.0"

__all__ = ["EditorError", "__version__"]
