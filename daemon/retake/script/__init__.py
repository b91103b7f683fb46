"""Prompt files -> Script."""

from .parse import parse_script, parse_text

__all__ = ["parse_script", "parse_text"]
