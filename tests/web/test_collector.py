"""What has been loaded is left out of garbage collections after some requests, and nothing else is held."""

from __future__ import annotations

import subprocess
import sys

COUNTED = """
import asyncio, gc, weakref
from web.collector import AFTER, Settling

dead = []

class Cycle:
    def __init__(self):
        self.me = self

async def app(*_):
    dead.append(weakref.ref(Cycle()))

settling = Settling(app)

def ask(times):
    for _ in range(times):
        asyncio.run(settling({}, None, None))

ask(AFTER[0] - 1)
assert gc.get_freeze_count() == 0
ask(1)
assert gc.get_freeze_count() > 1_000
ask(1)
gc.collect()
assert not [one for one in dead if one()], "what was dead is held"
"""


def test_what_lives_is_left_out_and_what_is_dead_is_freed_before() -> None:
    # In a process of its own: a collection here would find what other tests have left.
    run = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
