"""All services of a cluster on this machine, as `docker-compose.yml` configures them, and what can be asked of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg2
import requests
from dotenv import dotenv_values

from benchmarks.cluster.compose import FILE, service
from benchmarks.cluster.containers import Container
from benchmarks.cluster.outside import BEFORE, Outside, alerts_yaml
from embedded.airflow import dags_folder
from embedded.elasticsearch import Member, Node, start_elasticsearch
from embedded.processes import LOOPBACK, free_port, is_listening
from newswatch.settings import Settings, default_config_dir
from store.names import Names

START_S: Final = 240.0
NODES: Final = ("one", "two", "three")
BROKERS: Final = ("valkey-server", "redis-server")
POSTGRES: Final = "postgres"
AIRFLOW: Final = ("api-server", "dag-processor", "triggerer", "scheduler")
NO_LOG_SERVER: Final = {"scheduler", "triggerer", "worker"}
"""On one machine their servers of logs would all listen on the same port."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What Elasticsearch holds."""

    articles: int
    """Without those that the feeds had from the start."""
    deliveries: int


@dataclass
class Cluster:
    """A running cluster. Elasticsearch's nodes by name, containers by the name of their service."""

    home: Path
    outside: Outside
    settings: Settings
    ports: Mapping[str, int]
    database: str
    """Airflow's, for psycopg2."""
    nodes: dict[str, Node] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def workers(self) -> list[str]:
        """The names of the Celery workers."""
        return [name for name in self.containers if name.startswith("worker-")]

    def ask(self, path: str, body: Any = None) -> dict[str, Any]:
        """The answer of a node of Elasticsearch that runs."""
        for node in self.nodes.values():
            if node.child.poll() is None:
                answer = requests.request("POST" if body else "GET", f"{node.url}/{path}", json=body, timeout=30)
                answer.raise_for_status()
                return dict(answer.json())
        raise SystemExit("No node of Elasticsearch runs.")

    def stored(self) -> Stored:
        """What Elasticsearch holds now."""
        names = Names.of(self.settings)
        self.ask(f"{names.articles},{names.deliveries}/_refresh")
        began = {"query": {"range": {"published": {"gt": BEFORE.isoformat()}}}}
        articles = self.ask(f"{names.articles}/_count", began)["count"]
        return Stored(int(articles), int(self.ask(f"{names.deliveries}/_count")["count"]))

    def master(self) -> str:
        """The name of the node that is Elasticsearch's master now."""
        found = self.ask("_cluster/state/master_node,nodes")
        return str(found["nodes"][found["master_node"]]["name"])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query to Airflow's database."""
        with closing(psycopg2.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def database_mb(self) -> float:
        """The size of Airflow's database in megabytes."""
        ((size,),) = self.rows("SELECT pg_database_size(current_database())")
        return float(size) / 1e6

    def start_node(self, name: str) -> None:
        """Start a node, which joins those that run; it keeps its data and its port."""
        seeds = tuple(node.transport for node in self.nodes.values() if node.child.poll() is None)
        member = Member(name, seeds)
        folder, port = self.home / "elasticsearch" / name, self.ports[name]
        self.nodes[name] = start_elasticsearch(folder, port=port, heap_mb=512, member=member)

    def kill(self, name: str, *, stay_away: bool) -> None:
        """SIGKILL a container or a node. A container that may not stay away is started again at once."""
        if name in self.containers:
            self.containers[name].kill(stay_away=stay_away)
        else:
            os.kill(self.nodes[name].pid, signal.SIGKILL)
            self.nodes[name].stop()

    def start(self, name: str) -> None:
        """Start a container or a node that was killed."""
        if name in self.containers:
            self.containers[name].start()
        else:
            self.start_node(name)


@contextmanager
def open_cluster(home: Path, outside: Outside, workers: int, changes: Mapping[str, str]) -> Iterator[Cluster]:
    """The cluster in `home`, which is emptied first; `changes` are settings for `.env`. It ends with the block.

    Raises:
        SystemExit: something can't be started; the message says what.
    """
    binaries = _binaries()
    if home.exists():
        shutil.rmtree(home)
    for folder in ("config", "logs", "tasks", "auth", "broker", "data"):
        (home / folder).mkdir(parents=True)
    home.chmod(0o755)
    (home / "config" / "feeds.yaml").write_text(outside.papers.feeds_yaml(), encoding="utf-8")
    (home / "config" / "alerts.yaml").write_text(alerts_yaml(), encoding="utf-8")
    shutil.copyfile(default_config_dir() / "taxonomy.yaml", home / "config" / "taxonomy.yaml")
    ports = {name: free_port() for name in (*NODES, "postgres", "broker", "web", "health")}
    dotenv = _dotenv(home, ports, changes)
    with ExitStack() as stack:
        cluster = Cluster(home, outside, Settings(), ports, "")
        stack.callback(_end, cluster)
        for name in NODES:
            cluster.start_node(name)
        here = _addresses(cluster)
        given = {**_inherited(home), **_here(home, cluster)}
        _start_postgres(cluster, dotenv, binaries[POSTGRES])
        _start_broker(cluster, dotenv, binaries["broker"])
        once = [_container(cluster, name, dotenv, here, given) for name in ("airflow-init", "newswatch-setup")]
        for container in once:
            container.run_once(START_S)
        for part in AIRFLOW:
            _begin(cluster, _container(cluster, f"airflow-{part}", dotenv, here, given, part))
            if part == "api-server":
                _await("Airflow's web server", lambda: is_listening(ports["web"]))
        for number in range(workers):
            _begin(cluster, _container(cluster, "airflow-worker", dotenv, here, given, f"worker-{number + 1}"))
        yield cluster


def _begin(cluster: Cluster, container: Container) -> None:
    cluster.containers[container.name] = container
    container.start()


def _binaries() -> dict[str, str]:
    """Where PostgreSQL and the broker are.

    Raises:
        SystemExit: one is missing, or we are not root.
    """
    if os.geteuid():
        raise SystemExit("Namespaces of their own need root: run it in a container or a virtual machine.")
    postgres = shutil.which("postgres") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")), None)
    broker = next(filter(None, map(shutil.which, BROKERS)), None)
    if not postgres or not broker:
        raise SystemExit("PostgreSQL or Valkey is missing: apt-get install postgresql redis-server")
    return {POSTGRES: str(Path(postgres).resolve()), "broker": broker}


def _dotenv(home: Path, ports: Mapping[str, int], changes: Mapping[str, str]) -> dict[str, str]:
    """A `.env` as an operator of workers makes it."""
    file = home / ".env"
    script = FILE.parent / "docker" / "make-env.sh"
    subprocess.run(["sh", script, file], check=True, capture_output=True)
    values = {name: value or "" for name, value in dotenv_values(file).items()}
    stated = {"AIRFLOW_EXECUTOR": "CeleryExecutor", "AIRFLOW_URL": f"http://{LOOPBACK}:{ports['web']}"}
    return {**values, **stated, **changes}


def _addresses(cluster: Cluster) -> dict[str, str]:
    """What the names and folders of containers are here."""
    ports = cluster.ports
    return {
        "https://elasticsearch:9200": ",".join(node.url for node in cluster.nodes.values()),
        "@postgres/": f"@{LOOPBACK}:{ports['postgres']}/",
        "@valkey:6379": f"@{LOOPBACK}:{ports['broker']}",
        "http://airflow-api-server:8080": f"http://{LOOPBACK}:{ports['web']}",
        "smtp://mailpit:1025": f"smtp://{LOOPBACK}:{cluster.outside.mail.port}",
        "/opt/airflow/logs": str(cluster.home / "tasks"),
        "/opt/airflow/auth": str(cluster.home / "auth"),
        "/etc/newswatch": str(cluster.home / "config"),
    }


def _inherited(home: Path) -> dict[str, str]:
    """The image's environment."""
    of_others = ("NEWSWATCH_", "AIRFLOW_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(of_others)}
    return {
        **inherited,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    }


def _here(home: Path, cluster: Cluster) -> dict[str, str]:
    """What differs on one machine without Docker, besides addresses: ports, and the embedded node has no log-in."""
    return {
        "NEWSWATCH_DATA_DIR": str(home / "data"),
        "NEWSWATCH_ELASTICSEARCH_USERNAME": "",
        "NEWSWATCH_ELASTICSEARCH_PASSWORD": "",
        "NEWSWATCH_ELASTICSEARCH_CA_CERTS": "",
        "NEWSWATCH_BACKUP_LOCATION": "",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(cluster.ports["web"]),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(cluster.ports["health"]),
    }


def _container(
    cluster: Cluster,
    name: str,
    dotenv: Mapping[str, str],
    here: Mapping[str, str],
    given: Mapping[str, str],
    hostname: str = "",
) -> Container:
    stated = service(name, dotenv, here)
    command = list(stated.command)
    if name.removeprefix("airflow-") in NO_LOG_SERVER:
        command.append("--skip-serve-logs")
    environment = {**stated.environment, **given}
    settings = {key: value for key, value in environment.items() if key.startswith("NEWSWATCH_") and value}
    if name == "newswatch-setup":
        cluster.settings = _settings(settings)
    others = {key: value for key, value in environment.items() if not key.startswith("NEWSWATCH_")}
    return Container(hostname or name, command, {**others, **settings}, cluster.home)


def _settings(variables: Mapping[str, str]) -> Settings:
    """The settings in these variables."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        return Settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


def _start_postgres(cluster: Cluster, dotenv: Mapping[str, str], binary: str) -> None:
    stated = service("postgres", dotenv, {})
    folder, secret = cluster.home / "postgres", stated.environment["POSTGRES_PASSWORD"]
    folder.mkdir()
    shutil.chown(folder, POSTGRES, POSTGRES)
    password = folder / "password"
    password.write_text(secret)
    shutil.chown(password, POSTGRES, POSTGRES)
    initdb = [str(Path(binary).with_name("initdb")), "-D", str(folder / "data"), "-U", "airflow", "-E", "UTF8"]
    subprocess.run(
        [*initdb, "--auth=scram-sha-256", f"--pwfile={password}"],
        check=True,
        user=POSTGRES,
        group=POSTGRES,
        cwd=folder,
        capture_output=True,
    )
    port = cluster.ports["postgres"]
    listening = ("-p", str(port), "-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories=")
    command = [binary, "-D", str(folder / "data"), *listening]
    _begin(cluster, Container("postgres", command, _inherited(cluster.home), cluster.home, user=POSTGRES))
    address = f"host={LOOPBACK} port={port} user=airflow password={secret} dbname="
    cluster.database = address + "airflow"
    _await("PostgreSQL", lambda: is_listening(port))
    with closing(psycopg2.connect(address + "postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE airflow")


def _start_broker(cluster: Cluster, dotenv: Mapping[str, str], binary: str) -> None:
    stated = service("valkey", dotenv, {})
    port = cluster.ports["broker"]
    *shell, line = stated.command
    line = line.replace(BROKERS[0], binary) + f" --port {port} --bind {LOOPBACK} --dir {cluster.home / 'broker'}"
    environment = {**_inherited(cluster.home), **stated.environment}
    _begin(cluster, Container("valkey", [*shell, line], environment, cluster.home))
    _await("the broker", lambda: is_listening(port))


def _await(what: str, is_there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not is_there():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} has not come up within {START_S:.0f} s.")
        time.sleep(0.2)


def _end(cluster: Cluster) -> None:
    for container in reversed(cluster.containers.values()):
        container.stop()
    for node in cluster.nodes.values():
        node.stop()
