"""A second channel, to show that one takes one module: pigeons to lofts, each recorded as a line of a file.

Run as a program it delivers what is due and is killed once a pigeon has arrived, before that is written down:

    python -m tests.delivery.channels.pigeon URL PREFIX DATA_DIR NOW
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from pydantic import SecretStr

from delivery.channels import registry
from delivery.channels.channel import Channel, Refusal, Rendered, SendResult
from delivery.channels.targets import Targets
from delivery.deliver import deliver
from delivery.message import Message, Notice
from delivery.plain_text import plain_text
from newswatch.settings import Settings
from store.names import Names


def parse(text: str) -> str:
    """`pigeon:` and the loft, in small letters."""
    scheme, _, loft = text.strip().lower().partition(":")
    if scheme != "pigeon" or not re.fullmatch(r"[a-z0-9-]+", loft.strip()):
        raise ValueError(f"{text!r} is no loft")
    return f"pigeon:{loft.strip()}"


def render(message: Message, settings: Settings) -> Rendered:
    """What is tied to the pigeon's leg."""
    body = message.body
    titles = () if isinstance(body, Notice) else tuple(story.headline for story in body.stories)
    return Rendered(
        {
            "key": message.key,
            "subject": message.subject,
            "titles": titles,
            "text": plain_text(message),
            "thread": message.thread,
        }
    )


class Loft:
    """Sends pigeons: to a loft called `closed` none, to `full` none for now; to nobody in a storm."""

    def __init__(self, settings: Settings, targets: Targets) -> None:
        self._folder = settings.data_dir

    def send(self, content: dict[str, Any], recipients: Sequence[str], /) -> SendResult:
        (to,) = recipients
        if (self._folder / "storm").exists():
            return SendResult(down="no pigeon flies in a storm")
        if to == "pigeon:closed":
            return SendResult(refused={to: Refusal("the loft is closed", permanent=True)})
        if to == "pigeon:full" and not (self._folder / "room").exists():
            return SendResult(refused={to: Refusal("the loft is full", permanent=False)})
        ring = f"ring-{len(arrived(self._folder)) + 1}"
        with (self._folder / "pigeons.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"to": to, "ring": ring, **content}) + "\n")
        return SendResult((to,), reference=ring)

    def close(self) -> None:
        """Nothing is kept open."""


PIGEON = Channel(
    name="pigeon", scheme="pigeon", parse=parse, render=render, open=Loft, threads=True, at_once=lambda _: 1
)


def arrived(folder: Path) -> list[dict[str, Any]]:
    """The pigeons that came, in order."""
    path = folder / "pigeons.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class Killed(Loft):
    """A loft whose worker dies as soon as the pigeon has arrived."""

    def send(self, content: dict[str, Any], recipients: Sequence[str], /) -> SendResult:
        super().send(content, recipients)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it lives on")


if __name__ == "__main__":
    url, prefix, folder, now = sys.argv[1:]
    registry.CHANNELS = (*registry.CHANNELS, Channel("pigeon", "pigeon", parse, render, Killed, threads=True))
    with Elasticsearch(url) as es:
        here = Settings(data_dir=Path(folder), secret_key=SecretStr("for tests"))
        deliver(es, Names(prefix), here, now=datetime.fromisoformat(now))
