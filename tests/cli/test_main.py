"""The command line as a whole: every error is one sentence, and the exit code says what kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import main
from cli.exit_codes import EXIT_CODES
from cli.output import login, who
from newswatch.errors import NewswatchError

pytestmark = pytest.mark.slow


def code(*arguments: str) -> int:
    """The exit code of the command line, run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["newswatch", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.run()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def newswatch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import run; run()", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_help_names_every_command() -> None:
    told = newswatch("--help").stdout
    for command in (
        "up",
        "down",
        "status",
        "demo",
        "poll",
        "match",
        "search",
        "feeds",
        "alerts",
        "index",
        "parse",
        "tag",
    ):
        assert f" {command} " in told


def test_without_elasticsearch_it_says_what_to_do(tmp_path: Path) -> None:
    run = newswatch("search", "NATO", NEWSWATCH_ELASTICSEARCH_URL="http://127.0.0.1:9")
    assert run.returncode == 4
    assert "newswatch up" in run.stderr
    assert "Traceback" not in run.stderr


def test_without_elasticsearch_backups_are_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    assert code("backup", "list") == 4
    said = capsys.readouterr().err
    assert said.count("can't be reached") == 1
    assert "http://127.0.0.1:9 can't be reached" in said
    assert len(said.splitlines()) == 1


def test_a_wrong_setting_is_named() -> None:
    run = newswatch("search", "NATO", NEWSWATCH_SMTP_PORT="many")
    assert run.returncode == 3
    assert "NEWSWATCH_SMTP_PORT" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_argument_that_is_not_utf_8_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = UnicodeEncodeError("utf-8", "ann\udcff@x.example", 3, 4, "surrogates not allowed")
    monkeypatch.setattr("sys.argv", ["newswatch", "subscribers", "erase", "ann\udcff@x.example"])
    assert main._told(error) == 2
    assert capsys.readouterr().err == "Error: An argument is not in UTF-8: 'ann\\udcff@x.example'. Type it again.\n"
    monkeypatch.setattr("sys.argv", ["newswatch", "status"])
    with pytest.raises(UnicodeEncodeError):  # it is none of the user's
        main._told(error)


def test_nobody_is_erased_by_an_empty_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    assert code("subscribers", "erase", " ") == 2
    assert "WHO is empty" in capsys.readouterr().err


def test_no_command_imports_airflow_or_a_parser_before_it_runs() -> None:
    code = (
        "import sys, cli.main; heavy = {'airflow', 'trafilatura', 'feedparser', 'elasticsearch', 'aiohttp', 'lxml'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NEWSWATCH_FETCH_ALLOW_HOSTS", "127.0.0.1:8088"),  # JSON is expected
        ("NEWSWATCH_FETCH_ALLOW_HOSTS", "["),
        ("NEWSWATCH_SMTP_PORT", "twenty-five"),
        ("NEWSWATCH_CONTACT", "a\nBcc: b@c.example"),
        ("NEWSWATCH_INDEX_PREFIX", "Desk*"),
        ("NEWSWATCH_INDEX_PREFIX", "../desk-"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    assert code("settings") == 3
    told = capsys.readouterr().err
    assert "A setting is wrong" in told
    assert variable.removeprefix("NEWSWATCH_").lower() in told.lower()
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("feeds", "export", "/dev/null/feeds.opml"), "/dev/null/feeds.opml"),
        (("feeds", "export", "."), "."),
        (("feeds", "import", "."), "."),
        (("tag", "."), "."),
        (("tag", "/dev/null/lines"), "/dev/null/lines"),
        (("stories", "/dev/null/lines"), "/dev/null/lines"),
        (("parse", "."), "."),
        (("extract", "/dev/null/page", "--url", "https://a.example/"), "/dev/null/page"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    words: tuple[str, ...], file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert code(*words) == 1
    check_file_is_told(capsys.readouterr().err, file)


@pytest.mark.parametrize(("command", "loads"), [("tag", "_tagger"), ("stories", "_encoder")])
def test_a_file_is_opened_before_what_takes_seconds_to_load(
    command: str, loads: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"cli.offline_transforms.{loads}", lambda *_: pytest.fail("it was loaded for nothing"))
    assert code(command, "/nowhere/lines.jsonl") == 1
    check_file_is_told(capsys.readouterr().err, "/nowhere/lines.jsonl")


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("down",), "/dev/null/data/stack.json"),
        (("up", "--detach"), "/dev/null/data"),
        (("demo", "--folder", "/dev/null/demo"), "/dev/null/demo"),
    ],
)
def test_a_stack_that_can_not_write_is_one_sentence(words: tuple[str, ...], file: str) -> None:
    """In a process of its own, as it deals with processes and signals."""
    done = newswatch(*words, NEWSWATCH_DATA_DIR="/dev/null/data", COLUMNS="300")
    assert done.returncode == 1
    check_file_is_told(done.stderr, file)


def check_file_is_told(said: str, file: str) -> None:
    assert f"{file} can't be read or written: " in said
    assert "Name another" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("search", "QUERY is missing. `newswatch search --help` shows"),
        ("search NATO -n 0", "--size must be at least 1 (given: '0')."),
        ("search NATO -n ten", "--size must be a whole number (given: 'ten')."),
        ("search NATO --sort size", "--sort is wrong: 'size' is not one of 'relevance', 'time'"),
        ("search NATO since:7d", "an argument of several words stands in quotation marks"),
        ("serch", "Did you mean 'search'?"),
        ("mails show x", "N must be a whole number"),
        ("replay --since soon", "--since must be written YYYY-MM-DD (given: 'soon')."),
        ("alerts ack https://a.example/", "--to is missing."),
        ("settings --all", "No such option: --all."),
    ],
)
def test_wrong_usage_is_one_sentence_with_the_next_step(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*words.split()) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("Error: ")
    assert "--help` shows how it is used." in said
    assert "Input should" not in said
    assert len(said.splitlines()) == 1


def test_a_user_without_a_name_changes_things_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose runs the image as the host's user, whom the image's /etc/passwd does not have."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert login() == f"uid {os.getuid()}"
    assert who() == f"uid {os.getuid()} (command line)"


def test_an_address_that_nobody_types_is_asked_for_in_one_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from cli.main import run; run()", "subscribers", "add-webhook", "ops"],
        input="",
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "The address is missing" in ended.stderr


def test_each_exit_code_is_in_the_table() -> None:
    kinds: list[type[NewswatchError]] = [NewswatchError, *NewswatchError.__subclasses__()]
    assert {kind.exit_code for kind in kinds} <= EXIT_CODES.keys()


def test_a_reader_that_has_gone_is_no_error() -> None:
    command = f"{sys.executable} -c 'from cli.main import run; run()' settings | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
