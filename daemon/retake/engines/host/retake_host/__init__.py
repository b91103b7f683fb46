"""The program of a host process. Imports nothing of Retake and nothing that is not in Python 3.10 or newer."""
