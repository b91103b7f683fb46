"""Retake: a line of script and a person's reference video in, a take of that person saying the line out."""

__version__ = "0.1.0"
