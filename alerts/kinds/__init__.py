"""The kinds of saved search, one module each. To add a kind, write a module with a `KIND` and list it here."""

from __future__ import annotations

from collections.abc import Mapping

from alerts.kinds import query, silence, spike
from alerts.kinds.kind import Kind

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (query.KIND, spike.KIND, silence.KIND)}
"""Name → kind, in the order in which the form offers them."""
EVENT_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS.values() if kind.look)
"""The kinds that report events instead of articles."""
