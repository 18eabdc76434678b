"""`newswatch mails`: the list, and one mail as its reader would read it."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from newswatch.errors import NewswatchError

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEWSWATCH_DATA_DIR", str(tmp_path))
    (tmp_path / "mails").mkdir()
    return tmp_path / "mails"


def keep(folder: Path, number: int, subject: str, text: str) -> None:
    mail = EmailMessage()
    mail["X-Envelope-To"], mail["From"], mail["Subject"] = "ann@reader.example", "n@news.example", subject
    mail["In-Reply-To"] = f"<{number}@news.example>"
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    (folder / f"2026030{number}T050607.000000Z-{number}.eml").write_bytes(mail.as_bytes())


def test_a_mail_is_shown_by_its_number_in_the_list(folder: Path) -> None:
    keep(folder, 1, "One", "The first.")
    keep(folder, 2, "Two", "The\x1b[31m second.\nIts second line.")
    listed = RUNNER.invoke(app, ["mails"]).output
    assert [line.split()[0] for line in listed.splitlines()[1:] if line.strip()] == ["1", "2"]
    assert RUNNER.invoke(app, ["mails", "show", "1"]).output == (
        "From: n@news.example\nTo: ann@reader.example\nSubject: One\nIn reply to: <1@news.example>\n\nThe first.\n"
    )
    newest = RUNNER.invoke(app, ["mails", "show"]).output
    assert newest.endswith("\n\nThe\ufffd[31m second.\nIts second line.\n"), "no control character reaches the terminal"
    assert RUNNER.invoke(app, ["mails", "show", "1", "--html"]).output.strip() == "<p>The first.</p>"
    assert json.loads(RUNNER.invoke(app, ["mails", "show", "1", "--json"]).output)["subject"] == "One"


def test_a_number_that_is_not_listed(folder: Path) -> None:
    with pytest.raises(NewswatchError, match="No mail in "):
        RUNNER.invoke(app, ["mails", "show"], catch_exceptions=False)
    keep(folder, 1, "One", "The first.")
    result = RUNNER.invoke(app, ["mails", "show", "2"])
    assert (result.exit_code, "There is only 1 mail." in result.output) == (2, True)
