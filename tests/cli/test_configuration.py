"""`newswatch config`: every fault is told at once, and which version of each file is in force."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from jobs.config_check import _compose_faults, check_everything
from jobs.configuration import look_at_all
from jobs.plan import plan
from newswatch.airflow_faults import DATABASE
from newswatch.errors import ConfigError
from newswatch.settings import default_config_dir
from store.configuration import ConfigurationStore
from tests.jobs.conftest import World, world  # noqa: F401 - a fixture
from tests.taxonomies import checked_once, made_once


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder without a fault, and no server. The shipped taxonomy is read and checked once."""
    made_once(monkeypatch, "jobs.config_check")
    monkeypatch.setattr("jobs.config_check.check_taxonomy", checked_once)
    for name in os.environ:
        if name.startswith("NEWSWATCH_"):
            monkeypatch.delenv(name)
    for name in ("feeds.yaml", "alerts.yaml", "taxonomy.yaml"):
        shutil.copy(default_config_dir() / name, tmp_path)
    monkeypatch.setenv("NEWSWATCH_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    return tmp_path


def newswatch(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["config", *arguments])


def checked() -> tuple[int, dict[str, Any]]:
    result = newswatch("check", "--json")
    return result.exit_code, json.loads(result.stdout)


def errors(told: dict[str, Any]) -> dict[str, str]:
    return {fault["where"]: fault["message"] for fault in told["faults"] if fault["is_error"]}


def test_what_is_right_passes(folder: Path) -> None:
    code, told = checked()
    assert (code, told["ok"], told["asked"], errors(told)) == (0, True, False, {})
    assert f"{folder / 'feeds.yaml'}: 321 feeds" in told["checked"]


def test_every_fault_is_told_with_its_place_and_what_was_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = "".join(f"  - {{url: 'https://a.example/{n}', titel: T}}\n" for n in range(30))
    (folder / "feeds.yaml").write_text(f"feeds:\n{feeds}", encoding="utf-8")
    (folder / "alerts.yaml").write_text(
        "alerts:\n  - {id: a, name: A, recipients: [a@b.c], kind: qury}\n"
        "  - {id: b, name: B, recipients: [a@b.c], shedule: daily}\n",
        encoding="utf-8",
    )
    (folder / "taxonomy.yaml").write_text("topcs: {}\n", encoding="utf-8")
    (folder / "languages").mkdir()
    (folder / "languages" / "en.yaml").write_text("analyser: english\n", encoding="utf-8")
    (folder / "languages" / "klingon.yaml").write_text("{}\n", encoding="utf-8")
    monkeypatch.setenv("NEWSWATCH_SMPT_HOST", "mail.example.org")
    monkeypatch.setenv("NEWSWATCH_SMTP_PORT", "465")
    monkeypatch.setenv("NEWSWATCH_MAIL_FROM", "nobody")
    code, told = checked()
    found = errors(told)
    assert code == 3
    assert len([where for where in found if where.startswith(f"{folder / 'feeds.yaml'}:")]) == 30
    assert "did you mean 'title'?" in " ".join(
        fault["message"] for fault in told["faults"] if fault["where"] == f"{folder / 'feeds.yaml'}:31"
    )
    assert "did you mean 'query'?" in found[f"{folder / 'alerts.yaml'}:2"]
    assert "did you mean 'schedule'?" in found[f"{folder / 'alerts.yaml'}:3"]
    topics = [fault["message"] for fault in told["faults"] if fault["where"] == f"{folder / 'taxonomy.yaml'}:1"]
    assert any("did you mean 'topics'?" in message for message in topics)
    assert "did you mean 'analyzer'?" in found[f"{folder / 'languages/en.yaml'}:1"]
    assert "no code of a language" in found[f"{folder / 'languages/klingon.yaml'}"]
    assert "did you mean 'NEWSWATCH_SMTP_HOST'?" in found["NEWSWATCH_SMPT_HOST"]
    assert "NEWSWATCH_SMTP_SECURITY, NEWSWATCH_SMTP_PORT" in found
    assert "NEWSWATCH_MAIL_FROM" in found


@pytest.mark.parametrize(
    ("name", "value"), [("NEWSWATCH_SMTP_PORT", "many"), ("NEWSWATCH_FETCH_ALLOW_HOSTS", "not JSON")]
)
def test_a_wrong_value_keeps_nothing_else_from_being_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (folder / "alerts.yaml").unlink()
    code, told = checked()
    assert code == 3
    assert len(errors(told)) == 2
    assert str(folder / "alerts.yaml") in errors(told)


def test_no_secret_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_SMTP_PASSWORD", "Gehe1m")
    monkeypatch.setenv("NEWSWATCH_OPERATOR_URL", "Gehe1m")
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_PASSWORT", "Gehe1m")
    for arguments in (["check"], ["check", "--json"]):
        assert "Gehe1m" not in newswatch(*arguments).output


def test_a_mistyped_variable_stops_every_other_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_OPERATER", "ops@example.org")
    for command in (["settings"], ["up", "--no-airflow"], ["feeds", "list"], ["poll"]):
        result = CliRunner().invoke(app, command)
        assert isinstance(result.exception, ConfigError), command
        assert "did you mean 'NEWSWATCH_OPERATOR'?" in str(result.exception)


def test_up_refuses_settings_that_cannot_work_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_POLL_MIN_INTERVAL_S", "90000")
    result = CliRunner().invoke(app, ["up", "--no-airflow"])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith("NEWSWATCH_POLL_MIN_INTERVAL_S, NEWSWATCH_POLL_MAX_INTERVAL_S: ")


# ── with a server ────────────────────────────────────────────────────────────────────────────────────────────────────


def as_world(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for name, value in world.context.settings.environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
def test_a_mistyped_variable_stops_no_job_and_is_known(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEWSWATCH_OPERATER", "ops@example.org")
    assert plan(world.context).feeds == 1
    store = ConfigurationStore(world.context.es, world.context.names)
    (why,) = [state.why for state in store.states() if state.wrong_since]
    assert "did you mean 'NEWSWATCH_OPERATOR'?" in why
    assert store.states()[-1].name == "settings"
    monkeypatch.delenv("NEWSWATCH_OPERATER")
    look_at_all(world.context)
    assert store.states()[-1].wrong_since, "another process of this machine may still run with it"
    world.wait(minutes=4)
    look_at_all(world.context)
    assert not [state for state in store.states() if state.wrong_since]


@pytest.mark.slow
def test_show_says_which_version_is_in_force_and_use_changes_it(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    as_world(world, monkeypatch)
    assert "No version is in force yet" in newswatch("show").output
    plan(world.context)
    rows = {row["file"]: row for row in map(json.loads, newswatch("show", "--json").stdout.splitlines())}
    path = world.context.settings.config_dir / "feeds.yaml"
    assert {name: row["own"] for name, row in rows.items()} == {
        "feeds.yaml": "the same",
        "alerts.yaml": "the same",
        "taxonomy.yaml": "the same",
    }
    assert rows["feeds.yaml"]["path"] == str(path)
    assert rows["feeds.yaml"]["host"]
    assert newswatch("show", "feeds.yaml").stdout == path.read_text(encoding="utf-8")
    other = tmp_path / "other.yaml"
    other.write_text(path.read_text(encoding="utf-8").replace("title: main", "title: Other"), encoding="utf-8")
    os.utime(other, (0, 0))
    assert newswatch("use", str(other)).exit_code == 2, "its name doesn't say what it is"
    assert newswatch("use", str(other), "--as", "feeds.yaml").exit_code == 0
    assert newswatch("show", "feeds.yaml").stdout == other.read_text(encoding="utf-8")
    path.write_text("feds: []\n", encoding="utf-8")
    assert isinstance(newswatch("use", str(path)).exception, ConfigError)
    plan(world.context)
    assert "did you mean 'feeds'?" in " ".join(newswatch("show").output.split())


@pytest.mark.slow
def test_check_tells_what_other_machines_found(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_world(world, monkeypatch)
    path = world.context.settings.config_dir / "alerts.yaml"
    before = path.read_bytes()
    plan(world.context)
    monkeypatch.setattr("jobs.versions.HOST", "worker-2")
    path.write_text("allerts: []\n", encoding="utf-8")
    plan(world.context)
    path.write_bytes(before)
    report = check_everything(os.environ)
    assert report.asked
    assert report.ok
    assert [fault.where for fault in report.faults if "did you mean 'alerts'?" in fault.message] == [
        "in force: alerts.yaml"
    ]
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", "nobody-has-set-it-up-")
    assert check_everything(os.environ).asked


def test_an_airflow_of_ones_own_is_checked_with_its_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, "postgresql+psycopg2:///airflow")
    monkeypatch.setenv("AIRFLOW_HOME", str(folder))
    monkeypatch.setenv("SSO_CA_CERTS", str(folder / "none.pem"))
    _, told = checked()
    assert {"AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__FERNET_KEY", "SSO_CA_CERTS"} <= errors(told).keys()
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(Path(__file__).parents[2] / "dags"))
    assert "AIRFLOW__CORE__DAGS_FOLDER" not in errors(checked()[1])


def test_the_env_of_compose_is_checked_with_who_can_read_what(folder: Path) -> None:
    dotenv = folder / "example.env"
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    dotenv.write_text(example.replace("CONTAINER_UID=50000", "CONTAINER_UID=4321"))
    dotenv.chmod(0o644)
    folder.chmod(0o755)
    (folder / "feeds.yaml").chmod(0o600)

    def told(path: Path) -> dict[str, str]:
        return {fault.where: fault.message for fault in _compose_faults(path, folder)}

    result = newswatch("check", "--compose", str(dotenv), "--json")
    assert result.exit_code == 3
    faults = told(dotenv)
    assert faults.items() <= {fault["where"]: fault["message"] for fault in json.loads(result.stdout)["faults"]}.items()
    assert faults[str(dotenv)] == "others can read its secrets. chmod 600 mends it"
    assert "user 4321 of the containers can't read feeds.yaml." in faults[f"CONTAINER_UID, {folder}"]
    assert "`sh docker/make-env.sh FILE` makes fresh ones" in faults["POSTGRES_PASSWORD"]
    (folder / "feeds.yaml").chmod(0o644)
    dotenv.chmod(0o600)
    assert not {f"CONTAINER_UID, {folder}", str(dotenv)} & told(dotenv).keys()
    (folder / "feeds.yaml").chmod(0o000)
    dotenv.write_text(example.replace("CONTAINER_UID=50000", f"CONTAINER_UID={os.getuid()}"))
    assert f"CONTAINER_UID, {folder}" in told(dotenv), "its owner may not read it either"
    assert "it can't be read" in told(folder / "none")[str(folder / "none")]
