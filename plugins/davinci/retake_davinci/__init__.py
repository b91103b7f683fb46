"""Retake in DaVinci Resolve: markers and subtitles become lines, and takes land on the timeline. Imports Resolve's API at its edges only."""
