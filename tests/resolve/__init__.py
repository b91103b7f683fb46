"""A double of DaVinci Resolve for tests: its surface is held by the published description, its traps are the documented ones."""
