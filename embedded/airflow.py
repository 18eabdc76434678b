"""Airflow on this machine: the real components on SQLite, with our DAGs, and all files in one data folder.

As a separate process (`python -m embedded.airflow LOG_DIR`) it does what `airflow standalone` does: migrates the
database and runs api-server, scheduler, dag-processor and triggerer. In contrast to that, it opens no log servers
(which listen on every interface), keeps one log file per component, runs `newswatch clean` every hour, starts a
component that dies again, and ends all of them when it ends. `embedded.airflow_api` is a client for its REST API.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from embedded.airflow_api import AirflowApi
from embedded.processes import LOOPBACK, Child, end_group, end_of_life, is_listening, make_room, require_free, tail
from embedded.supervise import TROUBLES, Supervisor
from newswatch import private
from newswatch.errors import StackError
from newswatch.settings import Settings

USER = "admin"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "dag-processor": (),
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "triggerer": ("--skip-serve-logs",),
}
DEFAULT_PORTS = {"http": 80, "https": 443}
NEEDED_HEALTHY = ("metadatabase", "scheduler", "dag_processor")
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 15.0
"""Seconds for running tasks to finish; unfinished ones are repeated after the next start."""
API_SERVER_STOP_TIMEOUT_S = 2.0
"""Seconds; by then it has answered all requests, but its process lingers."""
CLEAN = ("-c", "from cli.main import run; run()", "clean", "--logs")
"""Python's arguments for `newswatch clean`, which the folder of the logs follows."""
CLEAN_EVERY_S = 3_600.0
"""Seconds between two cleanings. It decides itself what is due."""
CLEAN_FIRST_S = 300.0
"""Seconds from the start to the first, which must not slow the start down."""
DATABASE_PATIENCE_S = 30
"""Seconds to wait for SQLite's single writer before giving up."""
API_SERVER_DATABASE_PATIENCE_S = 2
"""Seconds. Longer makes it worse: the api-server logs a user's action in its event loop. While that waits for a request
that is writing, the request can't end. Giving up frees both, and the client tries again."""

AFTER_A_KILL: Mapping[str, str] = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
}
"""Seconds after which a killed task is given up, and between two looks for those of a killed scheduler (Airflow's own:
300 each). All ways to install state the same. LocalExecutor ignores `task_queued_timeout`, which compose and the chart
set for Celery: it can't revoke a task."""

FIXED_ENVIRONMENT = {
    **AFTER_A_KILL,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    # Pulls take at most half of them (`dags.places`). Each costs 43 MB, used or not.
    "AIRFLOW__CORE__PARALLELISM": "12",
    # The default asks the DNS for this machine's name, which hangs if no server answers.
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
    # With less, eight simultaneous tasks end in "database is locked" and a stalled api-server (apache/airflow#66493).
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "50",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "50",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    "AIRFLOW__API__HOST": LOOPBACK,
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    # They log every few seconds what they would schedule: an eighth of all logs.
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.models.dag=WARNING airflow.serialization.definitions.dag=WARNING",
    # Airflow's defaults are for several users of one machine; here there is one.
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": f"{private.FOLDER:#o}",
    "AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": f"{private.FILE:#o}",
    # Otherwise Airflow's processes write their titles over their environment, by which we recognise them.
    "SPT_NOENV": "1",
}


def environment(settings: Settings, *, port: int, log_dir: Path) -> dict[str, str]:
    """The environment variables of this Airflow; its secrets are generated at the first call and kept.

    Tasks receive `settings` twice: as variables, and as the connections `newswatch_elasticsearch` and `newswatch_smtp`.
    """
    home = settings.data_dir.resolve() / "airflow"
    url = f"http://{LOOPBACK}:{port}"
    return {
        **FIXED_ENVIRONMENT,
        **settings.environment(),
        **_secrets(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder()),
        DATABASE: database(home, DATABASE_PATIENCE_S),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords_file(home)),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(log_dir / "tasks"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(log_dir / "dag-files"),
        **_connections(elasticsearch=elasticsearch_connection(settings), smtp=smtp_connection(settings)),
    }


def _connections(**connections: Mapping[str, Any]) -> dict[str, str]:
    return {f"AIRFLOW_CONN_NEWSWATCH_{name.upper()}": json.dumps(value) for name, value in connections.items() if value}


def database(home: Path, patience_s: int) -> str:
    """The address of the metadata database."""
    return f"sqlite:///{home / 'airflow.db'}?timeout={patience_s}"


def dags_folder() -> Path:
    """The folder of the package `dags`, found without importing it, which would import Airflow."""
    spec = importlib.util.find_spec("dags")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package `dags` is not installed; install newswatch again.")
    return Path(spec.submodule_search_locations[0]).resolve()


def elasticsearch_connection(settings: Settings) -> dict[str, Any]:
    """The Airflow connection equivalent to the Elasticsearch settings.

    Empty if no connection can express them (an address with a path, or several); tasks then use the settings alone.
    """
    url = urlsplit(settings.elasticsearch_urls[0])
    if url.path.strip("/") or len(settings.elasticsearch_urls) > 1:
        return {}
    extra = {
        "api_key": settings.elasticsearch_api_key and settings.elasticsearch_api_key.get_secret_value(),
        "ca_certs": settings.elasticsearch_ca_certs and str(settings.elasticsearch_ca_certs),
    }
    return _without_empty(
        conn_type="elasticsearch",
        schema=url.scheme,
        host=url.hostname,
        port=url.port or DEFAULT_PORTS.get(url.scheme),
        login=settings.elasticsearch_username,
        password=settings.elasticsearch_password and settings.elasticsearch_password.get_secret_value(),
        extra=_without_empty(**extra),
    )


def smtp_connection(settings: Settings) -> dict[str, Any]:
    """The Airflow connection of the smtp provider that is equivalent to the mail server settings."""
    return _without_empty(
        conn_type="smtp",
        host=settings.smtp_host,
        port=settings.smtp_port,
        login=settings.smtp_username,
        password=settings.smtp_password and settings.smtp_password.get_secret_value(),
        extra={
            "disable_ssl": settings.smtp_security != "tls",
            "disable_tls": settings.smtp_security != "starttls",
            "from_email": settings.mail_from,
        },
    )


def _without_empty(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", {})}


def _secrets(home: Path) -> dict[str, str]:
    """Keys that must be the same in all components and after a restart, so that sessions and running tasks survive."""
    keys = _kept(home / "secrets.json", lambda: {name: secrets.token_urlsafe(48) for name in ("jwt", "session")})
    return {"AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"], "AIRFLOW__API__SECRET_KEY": keys["session"]}


def password(data_dir: Path) -> str:
    """The password of the user `admin`, generated at the first call and kept in the data folder."""
    return _kept(_passwords_file(data_dir.resolve() / "airflow"), lambda: {USER: secrets.token_urlsafe(12)})[USER]


def _passwords_file(home: Path) -> Path:
    return home / "passwords.json"


def _kept(path: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """The content of the JSON file at `path`, generated at the first call; only its owner can read it."""
    try:
        if not path.exists():
            private.make_folder(path.parent)
            private.create(path, json.dumps(make()))
    except FileExistsError:
        pass
    except OSError as error:
        raise StackError(f"{path} can't be written ({error.strerror}); choose another data folder.") from error
    held: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return held


@dataclass(frozen=True, slots=True)
class Airflow:
    """A running Airflow, and how to talk to it."""

    child: Child
    api: AirflowApi


def start_airflow(settings: Settings, *, port: int, log_dir: Path) -> Airflow:
    """Start Airflow on 127.0.0.1:`port`; `await_healthy` waits until it can be used.

    Raises:
        StackError: the port is taken, or the data folder can't be written.
    """
    require_free(port, "Airflow")
    api = AirflowApi(f"http://{LOOPBACK}:{port}", USER, password(settings.data_dir))
    child = Child.start(
        "Airflow",
        (sys.executable, "-m", "embedded.airflow", str(log_dir)),
        log_dir / "airflow.log",
        settings.data_dir,
        environment(settings, port=port, log_dir=log_dir),
    )
    return Airflow(child, api)


def await_healthy(airflow: Airflow, timeout_s: float = START_TIMEOUT_S) -> None:
    """Return once the api-server answers and reports that scheduler, DAG processor and database are healthy.

    Raises:
        StackError: it has ended, or is not healthy within `timeout_s`.
    """
    deadline, health = time.monotonic() + timeout_s, dict[str, str]()
    while airflow.child.poll() is None and time.monotonic() < deadline:
        health = airflow.api.health()
        if health and all(health.get(part) == "healthy" for part in NEEDED_HEALTHY):
            return
        time.sleep(0.5)
    own_log = airflow.child.log_file
    if airflow.child.poll() is not None:
        raise StackError(f"Airflow ended while starting; {own_log} ends with:\n{tail(own_log)}")
    name = unhealthy(health)
    log = _log(name, own_log.parent)
    raise StackError(f"Airflow's {name} is not healthy after {timeout_s:.0f} s; {log} ends with:\n{tail(log)}")


def unhealthy(health: Mapping[str, str]) -> str:
    """The component that keeps Airflow from being healthy, by what its web server says. Pure."""
    if health.get("metadatabase") != "healthy":
        return "api-server"
    return next(part.replace("_", "-") for part in NEEDED_HEALTHY if health.get(part) != "healthy")


def main() -> None:
    """The process: runs the components until it is asked to end, or one of them ends."""
    over = end_of_life()
    log_dir = Path(sys.argv[1])
    running: dict[str, subprocess.Popen[bytes]] = {}
    cleaning: dict[str, subprocess.Popen[bytes]] = {}
    try:
        _migrate(over)
        for name in COMPONENTS:
            if over.is_set():
                return
            running[name] = _component(name, log_dir)
            if name == "api-server":
                _await_api_server(running[name], over)
        _supervise(running, cleaning, log_dir, over)
    finally:
        _end(cleaning | running)


def _clean(cleaning: dict[str, subprocess.Popen[bytes]], log_dir: Path) -> None:
    """Start a cleaning, unless one is running. If it fails, its pulse says so; Airflow goes on."""
    if all(process.poll() is not None for process in cleaning.values()):
        cleaning["clean"] = _start((sys.executable, *CLEAN, str(log_dir)), dict(os.environ), log_dir / "clean.log")


def _component(name: str, log_dir: Path) -> subprocess.Popen[bytes]:
    return _airflow(name, *COMPONENTS[name], log_file=_log(name, log_dir))


def _log(name: str, log_dir: Path) -> Path:
    return log_dir / f"airflow-{name}.log"


def _supervise(
    running: dict[str, subprocess.Popen[bytes]],
    cleaning: dict[str, subprocess.Popen[bytes]],
    log_dir: Path,
    over: threading.Event,
) -> None:
    """Start components that die again, and clean up every hour, until `over` is set. Exits if one dies too often."""
    clean_at = time.monotonic() + CLEAN_FIRST_S
    supervisor = Supervisor(Path(os.environ["AIRFLOW_HOME"]) / TROUBLES)
    while not over.wait(0.5):
        if time.monotonic() >= clean_at:
            clean_at += CLEAN_EVERY_S
            _clean(cleaning, log_dir)
        for name, process in running.items():
            if process.poll() is None or supervisor.is_waiting(name):
                continue
            end_group(process.pid)
            log, why = _log(name, log_dir), f"status {process.poll()}"
            if not supervisor.ended(name, f"Airflow's {name}", why, log):
                sys.exit(f"Airflow's {name} has ended too often ({why}); {log} ends with:\n{tail(log)}")
        for name in supervisor.due():
            running[name] = _component(name, log_dir)
            supervisor.started(name)
        supervisor.forgive()


def _migrate(over: threading.Event) -> None:
    migration = _airflow("db", "migrate")
    while (status := migration.poll()) is None and not over.wait(0.1):
        continue
    if status is None:
        _end({"db migrate": migration})
    elif status:
        sys.exit("Airflow's database can't be migrated; see Airflow's output above.")


def _await_api_server(process: subprocess.Popen[bytes], over: threading.Event) -> None:
    """Wait until the api-server listens: tasks report to it, and fail if the scheduler starts them before."""
    port = int(os.environ["AIRFLOW__API__PORT"])
    while process.poll() is None and not over.wait(0.2):
        if is_listening(port):
            return


def _airflow(*arguments: str, log_file: Path | None = None) -> subprocess.Popen[bytes]:
    """A component in its own process group, which also contains its task processes."""
    environment = dict(os.environ)
    if arguments[0] == "api-server":
        environment[DATABASE] = database(Path(environment["AIRFLOW_HOME"]), API_SERVER_DATABASE_PATIENCE_S)
    return _start((sys.executable, "-m", "airflow", *arguments), environment, log_file)


def _start(
    command: Sequence[str], environment: Mapping[str, str], log_file: Path | None = None
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as stack:
        if log_file:
            make_room(log_file)
        output = stack.enter_context(private.open_file(log_file, "ab")) if log_file else None
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output and subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            umask=private.UMASK,
        )


def _end(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End the components, the api-server last: the scheduler waits for its tasks, which report to the api-server."""
    reporting = [process for name, process in processes.items() if name != "api-server"]
    _end_together(reporting, STOP_TIMEOUT_S)
    _end_together([process for process in processes.values() if process not in reporting], API_SERVER_STOP_TIMEOUT_S)


def _end_together(processes: Sequence[subprocess.Popen[bytes]], timeout_s: float) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + timeout_s
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        end_group(process.pid)


if __name__ == "__main__":
    main()
