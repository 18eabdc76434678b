"""Kind `query`: an article that matches is a story to be mailed. How it is matched: `alerts.match`."""

from __future__ import annotations

from alerts.kinds.kind import Kind

KIND = Kind("query", "Each new story that matches")
