"""What a query's words mean: encoded once, and a failure is neither kept for good nor hidden."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from search import meant as module
from search.meant import AGAIN_S, Meant, NotEncodedError, encoding, meant
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
        with pytest.raises(NotEncodedError, match="ferry"):
            meant(["ferry"])
    assert meant(["storm"]), "other words are not held up"
    assert encoder.asked == ["ferry", "storm"]
    clock[0] += AGAIN_S
    assert meant(["ferry"])


def test_a_page_is_told_nothing_and_the_log_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed(monkeypatch, Fallible(failures=1))
    with caplog.at_level(logging.WARNING), encoding(["ferry"]) as result:
        pass
    assert result() is None
    assert "not ordered by meaning" in caplog.text
    installed(monkeypatch, None)
    with encoding(["ferry"]) as result:
        pass
    assert result() is None
