"""Placing articles without a store, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transforms.profile import Profile
from transforms.story import Placed, Stream


def placed_in_order(profiles: Iterable[Profile]) -> Mapping[str, Placed]:
    """Article → where it was placed, in the order of publication."""
    stream = Stream()
    return {one.id: stream.place(one) for one in sorted(profiles, key=lambda p: (p.published, p.id))}
