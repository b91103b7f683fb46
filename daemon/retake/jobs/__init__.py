"""Jobs: a durable queue (DBOS), the workers that render, and everything that is remembered about both. See docs/jobs.md."""
