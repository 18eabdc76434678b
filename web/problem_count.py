"""How many problems there are, for the navigation of every page."""

from __future__ import annotations

import time

from jobs.context import Context
from store.faults import REFUSALS
from store.quarantine import Quarantine

COUNTED_FOR_S = 15
"""How old the number may be that pages show."""
PATIENCE_S = 2
"""How long a page waits for the number before it shows none."""


class ProblemCount:
    """The number, counted again at most every `COUNTED_FOR_S` seconds."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._counted = float("-inf")

    def now(self, context: Context) -> int | None:
        """The number; None where Elasticsearch does not tell it, which the page itself will say if it matters there."""
        if time.monotonic() - self._counted > COUNTED_FOR_S:
            try:
                self._count = Quarantine(context.es, context.names).total(timeout_s=PATIENCE_S)
            except REFUSALS:
                self._count = None
            self._counted = time.monotonic()
        return self._count

    def forget(self) -> None:
        """Count again for the next page."""
        self._counted = float("-inf")
