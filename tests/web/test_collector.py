"""What has been loaded is left out of garbage collections after some requests, and nothing else is held."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from web.collector import AFTER, Settling


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


class Cycle:
    """Freed by the collector alone."""

    def __init__(self) -> None:
        self.me = self


def test_what_lives_is_left_out_and_what_is_dead_is_freed_before() -> None:
    dead: list[weakref.ref[Cycle]] = []

    async def app(*_: Any) -> None:
        dead.append(weakref.ref(Cycle()))

    settling = Settling(app)

    def ask(times: int) -> None:
        for _ in range(times):
            asyncio.run(settling({}, None, None))

    ask(AFTER[0] - 1)
    assert gc.get_freeze_count() == 0
    ask(1)
    assert gc.get_freeze_count() > 10_000
    ask(1)
    gc.collect()
    assert not [one for one in dead if one()]
