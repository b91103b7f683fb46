"""The HTTP interface of the daemon, version 1. See docs/api.md."""
