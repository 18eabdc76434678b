"""No command shows a user's password that stands in an address, whatever goes wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli.main import run

SECRET = "Gehe1m"
ASKS_ELASTICSEARCH = (
    ("search", "NATO"),
    ("feeds", "list"),
    ("alerts", "list"),
    ("index", "status"),
    ("index", "setup"),
    ("match",),
    ("poll",),
)
NEEDS_NONE = (("settings",), ("settings", "--set"), ("settings", "--json"), ("status",), ("mails",))


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEWSWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", f"http://elastic:{SECRET}@127.0.0.1:9,http://127.0.0.1:10")
    monkeypatch.setenv("NEWSWATCH_SMTP_HOST", f"smtp://me:{SECRET}@127.0.0.1:9")
    monkeypatch.setenv("NEWSWATCH_PUBLIC_URL", f"http://ann:{SECRET}@news.example")
    monkeypatch.setenv("NEWSWATCH_KIBANA_URL", f"http://ann:{SECRET}@kibana.example")


@pytest.mark.parametrize("words", ASKS_ELASTICSEARCH + NEEDS_NONE, ids=" ".join)
def test_no_command_shows_a_password(
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(sys, "argv", ["newswatch", *words])
    with pytest.raises(SystemExit) as ended:
        run()
    shown = capfd.readouterr()
    assert shown.out + shown.err
    assert SECRET not in shown.out + shown.err + caplog.text
    if words in ASKS_ELASTICSEARCH:
        assert ended.value.code == 4, shown.err


def test_a_wrong_address_is_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", f"http://a:9200,http://elastic:{SECRET}/@b:9200")
    monkeypatch.setattr(sys, "argv", ["newswatch", "settings"])
    with pytest.raises(SystemExit) as ended:
        run()
    shown = capfd.readouterr().err
    assert ended.value.code == 3
    assert "NEWSWATCH_ELASTICSEARCH_URL: address 2 of 2: " in shown
    assert SECRET not in shown
