"""Kind `query`: mails each new story with a matching article. `alerts.match` matches it."""

from __future__ import annotations

from alerts.kinds.kind import Kind

KIND = Kind("query", "Each new story that matches")
