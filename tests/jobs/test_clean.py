"""Old logs and old rows of Airflow's database go; what is new, or still needed, stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embedded.airflow import environment
from jobs.clean import (
    DATABASE,
    OPEN_LOG_BYTES,
    STAMP,
    TABLES,
    LogFile,
    clean,
    clean_command,
    clean_here,
    database_is_due,
    is_worth_shrinking,
    shrink,
    surplus,
)
from newswatch.errors import StackError
from newswatch.settings import Settings
from tests.factories import NOW
from tests.jobs.conftest import World

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def log(name: str, age: timedelta, size: int = 10) -> LogFile:
    return LogFile(Path(name), size, NOW - age)


def names_of(logs: list[LogFile]) -> set[str]:
    return {one.path.name for one in logs}


def test_logs_go_by_age() -> None:
    logs = [log("old", 15 * DAY), log("kept", 13 * DAY)]
    assert names_of(surplus(logs, now=NOW, keep=14 * DAY, max_bytes=1_000)) == {"old"}


def test_the_oldest_go_when_all_together_are_too_large() -> None:
    logs = [log("first", 3 * DAY, 60), log("second", 2 * DAY, 60), log("third", 1 * DAY, 30)]
    assert names_of(surplus(logs, now=NOW, keep=14 * DAY, max_bytes=100)) == {"first"}
    assert surplus(logs, now=NOW, keep=14 * DAY, max_bytes=150) == []


def test_a_log_of_a_task_that_may_still_run_stays_however_large() -> None:
    logs = [log("running", timedelta(minutes=5), 500), log("ended", 2 * HOUR, 1)]
    assert names_of(surplus(logs, now=NOW, keep=14 * DAY, max_bytes=100)) == {"ended"}


@pytest.mark.parametrize(
    ("cleaned_at", "due"),
    [(None, True), ((28, 23), True), ((29, 2, 59), True), ((29, 3, 1), False), ((29, 12), False)],
)
def test_the_database_is_cleaned_once_a_night(cleaned_at: tuple[int, ...] | None, due: bool) -> None:
    moment = datetime(2026, 11, *cleaned_at, tzinfo=UTC) if cleaned_at else None  # type: ignore[misc,arg-type]
    assert database_is_due(moment, datetime(2026, 11, 29, 12, tzinfo=UTC)) is due


def test_before_the_night_the_last_one_counts() -> None:
    assert not database_is_due(datetime(2026, 11, 28, 4, tzinfo=UTC), datetime(2026, 11, 29, 1, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Logs as the stack keeps them, some of them twenty days old."""
    for name in ("tasks/dag_id=a/run_id=1/attempt=1.log", "dag-files/2026-11-01/a.py.log", "scheduler.log.1"):
        write(tmp_path / name, age=20 * DAY)
    write(tmp_path / "tasks/dag_id=a/run_id=2/attempt=1.log", age=DAY)
    write(tmp_path / "scheduler.log", age=20 * DAY)
    for parent in (tmp_path / "tasks/dag_id=a/run_id=1", tmp_path / "dag-files/2026-11-01"):
        touch(parent, 20 * DAY)
    return tmp_path


def write(path: Path, *, age: timedelta, size: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    touch(path, age)


def touch(path: Path, age: timedelta) -> None:
    at = (datetime.now(UTC) - age).timestamp()
    os.utime(path, (at, at))


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_old_logs_go_with_their_folders_and_open_ones_stay(folder: Path) -> None:
    outside = folder.parent / f"{folder.name}-outside"
    write(outside / "kept.log", age=20 * DAY)
    (folder / "tasks/link").symlink_to(outside)
    report = clean_here(Settings(), folder, datetime.now(UTC))
    assert left(folder) == {"tasks/dag_id=a/run_id=2/attempt=1.log", "scheduler.log"}
    assert (report.logs_deleted, report.bytes_deleted, report.database) == (3, 12, False)
    clean_here(Settings(), folder, datetime.now(UTC) + 2 * DAY)
    assert not (folder / "tasks/dag_id=a/run_id=1").exists()
    assert (outside / "kept.log").exists()


def test_a_large_log_is_emptied_while_its_process_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.log"
    with path.open("ab") as writer:
        writer.write(b"x" * (OPEN_LOG_BYTES + 1))
        writer.flush()
        assert clean_here(Settings(), tmp_path, datetime.now(UTC)).logs_emptied == 1
        writer.write(b"more")
    assert path.read_bytes() == b"more"
    assert (tmp_path / "scheduler.log.1").stat().st_size == OPEN_LOG_BYTES + 1
    assert (tmp_path / "scheduler.log.1").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_run_is_recorded_and_so_is_a_database_that_cannot_be_cleaned(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE, "sqlite:////nowhere/airflow.db")
    monkeypatch.setattr(
        "jobs.clean.clean_command", lambda before: [sys.executable, "-c", "import sys; sys.exit('no disk')"]
    )
    with pytest.raises(StackError, match=r"`airflow db clean` failed \(status 1\): no disk"):
        clean(world.context, tmp_path)
    assert not (tmp_path / STAMP).exists()
    monkeypatch.setattr("jobs.clean.clean_command", lambda before: [sys.executable, "-c", ""])
    assert clean(world.context, tmp_path).database
    assert not clean(world.context, tmp_path).database, "once a night"


@pytest.mark.slow
def test_old_rows_go_from_a_real_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, logs = Settings(data_dir=tmp_path), tmp_path / "logs"
    logs.mkdir()
    for name, value in environment(settings, port=8080, log_dir=logs).items():
        monkeypatch.setenv(name, value)
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    database = tmp_path / "airflow/airflow.db"
    now = datetime.now(UTC)
    with sqlite3.connect(database) as connection:
        for days in (1, 40, 50):
            row = (f"{days} days", (now - days * DAY).strftime("%Y-%m-%d %H:%M:%S.%f"))
            connection.execute("INSERT INTO log (event, dttm) VALUES (?, ?)", row)
        paused = {"dag_id": "poll_feeds", "is_paused": 1, "last_parsed_time": row[1], "max_active_tasks": 1}
        columns = connection.execute("PRAGMA table_info(dag)").fetchall()
        needed = {name: 0 for _, name, _, not_null, default, _ in columns if not_null and default is None} | paused
        marks = ", ".join("?" * len(needed))
        connection.execute(f"INSERT INTO dag ({', '.join(needed)}) VALUES ({marks})", [*needed.values()])
        connection.execute("CREATE TABLE former AS SELECT zeroblob(1000000) AS bytes FROM sqlite_master LIMIT 60")
        connection.execute("DROP TABLE former")
    report = clean_here(settings, logs, now)
    assert report.database
    assert report.database_bytes_freed > 50_000_000
    assert database.stat().st_size < 10_000_000
    with sqlite3.connect(database) as connection:
        kept = {event for (event,) in connection.execute("SELECT event FROM log")}
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        dags = connection.execute("SELECT dag_id, is_paused FROM dag").fetchall()
    assert dags == [("poll_feeds", 1)], "Airflow was off for 50 days: what was paused stays so"
    assert "1 days" in kept
    assert not {"40 days", "50 days"} & kept
    assert not [name for name in tables if name.startswith("_airflow_deleted")], "an archive would only move the rows"
    assert (logs / STAMP).exists()
    assert not clean_here(settings, logs, now).database
    assert clean_here(settings, logs, now + DAY).database


def test_a_database_in_use_is_not_held_up_for_long() -> None:
    assert is_worth_shrinking(200_000_000, 150_000_000)
    assert not is_worth_shrinking(200_000_000, 60_000_000), "most of it is in use"
    assert not is_worth_shrinking(60_000_000, 40_000_000), "too little to gain"
    assert not is_worth_shrinking(2_000_000_000, 1_400_000_000), "too long a pause"


def test_what_is_no_sqlite_file_or_locked_stays_as_it_is(tmp_path: Path) -> None:
    assert shrink("postgresql+psycopg2://airflow:secret@postgres/airflow") == 0
    (tmp_path / "airflow.db").write_bytes(b"no database at all" * 100)
    assert shrink(f"sqlite:///{tmp_path / 'airflow.db'}?timeout=30") == 0


@pytest.mark.slow
def test_all_of_airflows_tables_that_grow_are_cleaned() -> None:
    known = "from airflow.utils.db_cleanup import config_list; print(*(one.table_name for one in config_list))"
    done = subprocess.run([sys.executable, "-c", known], check=True, capture_output=True, text=True)
    assert {*done.stdout.split()} == {*TABLES, "dag"}


def test_the_command_states_the_moment() -> None:
    command = clean_command(NOW)
    assert command[command.index("--clean-before-timestamp") + 1] == NOW.isoformat()
