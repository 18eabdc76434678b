"""The heartbeat: an address elsewhere is called while all is well, so that the watchman's own death is noticed there.

By the conventions of healthchecks.io (https://healthchecks.io/docs/signaling_failures/): a GET of the address says that
all is well, one of the address with `/fail` that something is wrong. Warnings are no failure: a certificate that
expires in ten days would hide the watchman's death for ten days.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import requests

from newswatch import __version__
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import BLIND, Probe, Report
from observe.web import why_not

ID: Final = "heartbeat"
EVERY_S: Final = 60.0
ANSWER_S: Final = 8.0
FAILURES: Final = 3
"""Heartbeats in a row that must fail before it is a condition: those who listen are patient, too."""


def heartbeat(settings: Settings, is_well: Callable[[], bool], *, every_s: float = EVERY_S) -> Probe | None:
    """The heartbeat as a probe; None if `NEWSWATCH_HEARTBEAT_URL` is not set."""
    if settings.heartbeat_url is None:
        return None
    url = settings.heartbeat_url.get_secret_value()
    failed: list[str] = []

    def run() -> Report:
        why = beat(url if is_well() else failing(url))
        failed[:] = [*failed, why] if why else []
        return judge(failed)

    return Probe(ID, run, every_s=every_s, late=BLIND)


def judge(failed: list[str]) -> Report:
    """What follows from the reasons of the heartbeats that failed since the last one that did not. Pure."""
    if len(failed) < FAILURES:
        return Report(note=f"{ID}: {failed[-1]}" if failed else "")
    sentence = f"The heartbeat does not arrive: {failed[-1]}. If the watchman dies, nobody notices."
    next_step = "Look at NEWSWATCH_HEARTBEAT_URL and at the network of this machine."
    return Report((Condition(ID, Severity.WARNING, sentence, next_step),))


def failing(url: str) -> str:
    """The address that says that something is wrong. Pure."""
    split = urlsplit(url)
    return split._replace(path=f"{split.path.rstrip('/')}/fail").geturl()


def beat(url: str) -> str:
    """Call the address; why that failed, empty if it did not."""
    try:
        answer = requests.get(url, timeout=ANSWER_S, headers={"User-Agent": f"newswatch/{__version__}"}, stream=True)
        with answer:
            return "" if answer.ok else f"it answers {answer.status_code}"
    except requests.RequestException as error:
        return why_not(error, ANSWER_S)
