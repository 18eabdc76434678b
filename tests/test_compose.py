"""docker-compose.yml, Dockerfile and .env.example fit each other, Compose, Airflow and newswatch.

No Docker engine is needed: the Compose specification's JSON schema comes with check-jsonschema, the rest is compared
with what it must agree with.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from dotenv import dotenv_values

import kibana.load
from embedded.elasticsearch import NODE_SETTINGS
from kibana.load import Target
from newswatch import __version__
from newswatch.compose_faults import FERNET_KEY, IF_GIVEN, OTHERS, RENAMED, SECRETS, STATED, compose_faults
from newswatch.config import plain
from newswatch.settings import Settings
from newswatch.sign_on import FAB, PREFIX, SignOn
from observe.tell import ways
from store.names import Names

ROOT = Path(__file__).parent.parent
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = plain(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = dotenv_values(ROOT / ".env.example")
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<how>[-?+])(?P<what>[^}]*))?\}")
ONE_SHOTS = {
    "elasticsearch-certs",
    "elasticsearch-users",
    "newswatch-check",
    "newswatch-setup",
    "kibana-setup",
    "airflow-init",
}

every_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def dotenv(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A .env as a user makes it."""
    path = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run(["sh", ROOT / "docker/make-env.sh", path], capture_output=True, check=True)
    return {name: value or "" for name, value in dotenv_values(path).items()}


def filled_in(text: Any, values: dict[str, str]) -> str:
    """`text` as Compose interpolates it."""

    def one(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        value = values.get(found["name"], "")
        if found["how"] == "+":
            return found["what"] if value else ""
        if not value and found["how"] == "?":
            raise AssertionError(f"{found['name']}: {found['what']}")
        return value or found["what"] or ""

    return VARIABLE.sub(one, str(text))


def environment_of(service: str, values: dict[str, str]) -> dict[str, str]:
    """The environment of a container; what has no value in the file comes from .env, if it is there."""
    stated = SERVICES[service].get("environment", {})
    given = {key: values.get(key) if value is None else filled_in(value, values) for key, value in stated.items()}
    return {key: value for key, value in given.items() if value is not None}


def everything_set() -> set[str]:
    """Every environment variable that any service, or the image, sets."""
    of_image = re.findall(r"^(?:ENV| {3}) +([A-Z]\w+)=", DOCKERFILE, re.MULTILINE)
    return {*of_image, *(key for service in SERVICES.values() for key in service.get("environment", {}))}


def pinned(image: str) -> bool:
    return re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?", image) is not None


# ── Compose ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def breaks_the_schema(path: Path) -> str:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True)
    return "" if checked.returncode == 0 else checked.stdout + checked.stderr


@pytest.mark.slow
def test_the_file_fits_the_compose_specification(tmp_path: Path) -> None:
    assert breaks_the_schema(ROOT / "docker-compose.yml") == ""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(COMPOSE_TEXT.replace("mem_limit:", "memory_limit:"))
    assert "memory_limit" in breaks_the_schema(wrong)


@every_service
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    assert pinned(SERVICES[name]["image"]), SERVICES[name]["image"]


def test_what_is_no_version_does_not_count_as_one() -> None:
    assert not any(map(pinned, ("postgres", "postgres:latest", "postgres:17-bookworm", "mailpit:v1")))


@every_service
def test_a_service_is_watched_or_ends(name: str) -> None:
    service = SERVICES[name]
    ends = name in ONE_SHOTS
    assert ("healthcheck" in service) != ends
    assert service["restart"] == ("no" if ends else "unless-stopped")


@every_service
def test_a_service_has_its_bounds(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", [])) <= {"DAC_OVERRIDE", "FOWNER"}
    assert "cap_add" not in service or name in ONE_SHOTS


@every_service
def test_what_a_service_waits_for_can_come(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        if how["condition"] == "service_completed_successfully":
            assert other in ONE_SHOTS
        else:
            assert how["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[other]
        needs_a_profile = set(SERVICES[other].get("profiles", [])) - set(SERVICES[name].get("profiles", []))
        assert not needs_a_profile or how["required"] is False


def test_every_one_shot_is_waited_for() -> None:
    awaited = {other for service in SERVICES.values() for other in service.get("depends_on", {})}
    # Nothing runs on what analysts see in Kibana.
    assert awaited >= ONE_SHOTS - {"kibana-setup"}


def test_kibana_is_loaded_once_it_is_ready_and_the_indices_are_there(dotenv: dict[str, str]) -> None:
    service = SERVICES["kibana-setup"]
    assert service["depends_on"]["kibana"]["condition"] == "service_healthy"
    assert service["depends_on"]["newswatch-setup"]["condition"] == "service_completed_successfully"
    target = Target.from_environment(environment_of("kibana-setup", dotenv))
    assert (target.root, target.username, target.password) == (
        "http://kibana:5601",
        "elastic",
        dotenv["ELASTIC_PASSWORD"],
    )
    assert service["command"] == ["python", "-m", kibana.load.__name__]


@every_service
def test_ports_are_published_on_the_bind_address_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert filled_in(port, {}).startswith("127.0.0.1:")
        assert port.startswith("${BIND_ADDRESS:-127.0.0.1}:")


def test_database_and_broker_are_reached_by_airflow_alone_and_reach_nobody() -> None:
    assert COMPOSE["networks"]["database"] == {"internal": True}
    inside = {name for name, service in SERVICES.items() if "database" in service.get("networks", [])}
    ours = {n for n, s in SERVICES.items() if s["image"].startswith("newswatch:") and n != "newswatch-check"}
    assert inside == {"postgres", "valkey"} | ours
    assert {name for name in inside if SERVICES[name]["networks"] == ["database"]} == {"postgres", "valkey"}
    assert SERVICES["newswatch-check"]["network_mode"] == "none", "it sees all secrets"


def test_what_only_containers_need_is_not_published() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"elasticsearch", "kibana", "mailpit", "airflow-api-server"}


def test_workers_broker_and_mail_catcher_come_with_their_profiles_only() -> None:
    with_profile = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert with_profile == {"valkey": ["celery"], "airflow-worker": ["celery"], "mailpit": ["mailpit"]}


def test_volumes_are_declared_used_and_their_sources_there() -> None:
    mounted = [filled_in(volume, {}) for service in SERVICES.values() for volume in service.get("volumes", [])]
    named = {volume.split(":")[0] for volume in mounted if not volume.startswith(".")}
    assert named == COMPOSE["volumes"].keys()
    for volume in mounted:
        if volume.startswith("."):
            source, _, mode = volume.split(":")
            assert (ROOT / source).exists() or source == "./.env", source
            assert mode == "ro,z", "SELinux lets a container read only what is labelled for it"


def test_only_elasticsearch_and_who_makes_it_see_its_private_key() -> None:
    seen_by = {n for n, s in SERVICES.items() if any("elasticsearch-certs:" in v for v in s.get("volumes", []))}
    assert seen_by == {"elasticsearch", "elasticsearch-certs"}


def test_secrets_come_from_the_environment_and_must_be_set() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD$|SECRET|ENCRYPTIONKEY|FERNET_KEY|_CONN$|RESULT_BACKEND|BROKER_URL", key)
            if secret and key not in (
                "NEWSWATCH_SMTP_PASSWORD",
                "NEWSWATCH_SMTP_OAUTH_CLIENT_SECRET",
                "NEWSWATCH_BOUNCE_PASSWORD",
                "NEWSWATCH_ELASTICSEARCH_API_KEY",
                "NEWSWATCH_SECRET_KEY_BEFORE",
                *IF_GIVEN,
            ):
                assert value is None or ":?" in str(value), f"{name}: {key}"


def test_elasticsearch_speaks_tls_and_asks_who_is_there() -> None:
    given = SERVICES["elasticsearch"]["environment"]
    layers = ("security.enabled", "security.http.ssl.enabled", "security.transport.ssl.enabled")
    assert {given[f"xpack.{layer}"] for layer in layers} == {"true"}
    assert SERVICES["kibana"]["environment"]["ELASTICSEARCH_HOSTS"].startswith("https://")


# ── .env ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_variable_is_in_the_example_and_every_one_there_is_used() -> None:
    asked = {found["name"] for found in VARIABLE.finditer(COMPOSE_TEXT) if found["name"]}
    assert asked | {"COMPOSE_PROFILES"} == EXAMPLE.keys()


def test_the_check_knows_every_variable_of_the_example() -> None:
    ours = {name for name in EXAMPLE if name.removeprefix("NEWSWATCH_").lower() in Settings.model_fields}
    assert {*SECRETS, *IF_GIVEN, FERNET_KEY, *OTHERS} | ours == EXAMPLE.keys()
    assert not EXAMPLE.keys() & (RENAMED.keys() | STATED.keys())
    assert STATED.keys() <= {name for service in SERVICES.values() for name in service.get("environment", {})}
    compose_sets = {k for k, v in SERVICES["watchman"]["environment"].items() if k.startswith("NEWSWATCH_") and v}
    fixed = {name for name in compose_sets if f"${{{name}:" not in COMPOSE_TEXT}
    assert fixed == STATED.keys(), "what .env can't change is told to whoever tries"


def test_a_new_env_has_no_fault(dotenv: dict[str, str]) -> None:
    assert compose_faults(dotenv) == ()


def test_every_setting_can_be_set(dotenv: dict[str, str]) -> None:
    for service in ("airflow-scheduler", "airflow-worker", "airflow-api-server", "watchman", "newswatch-setup"):
        reached = {name.removeprefix("NEWSWATCH_").lower() for name in SERVICES[service]["environment"]}
        watchmans = {"data_dir", "airflow_url", "operator_url", "heartbeat_url"}
        unreached = Settings.model_fields.keys() - reached - {"server", "api_key"}  # of a client elsewhere
        assert unreached <= (set() if service == "watchman" else watchmans), service
    given = environment_of("airflow-scheduler", dotenv | {"NEWSWATCH_POLL_MIN_INTERVAL_S": "90"})
    assert given["NEWSWATCH_POLL_MIN_INTERVAL_S"] == "90"
    assert "NEWSWATCH_POLL_MAX_INTERVAL_S" not in given, "what .env does not set keeps its default"


def test_the_example_has_the_defaults_of_the_file_and_no_secret() -> None:
    for found in VARIABLE.finditer(COMPOSE_TEXT):
        if found["name"] and found["how"] != "+":
            assert found["how"], f"{found['name']} has neither a default nor a message"
            assert EXAMPLE[found["name"]] == ("" if found["how"] == "?" else found["what"])


def test_a_new_env_has_every_secret_and_each_its_own(dotenv: dict[str, str]) -> None:
    secrets = {name: dotenv[name] for name in EXAMPLE if name in (*SECRETS, *IF_GIVEN, FERNET_KEY)}
    assert len(secrets) == 13
    assert len(set(secrets.values())) == len(secrets)
    assert len(secrets["AIRFLOW_FERNET_KEY"]) == 44
    for name, value in secrets.items():
        assert name == "AIRFLOW_FERNET_KEY" or re.fullmatch(r"[0-9a-f]{64}", value), name
    others = {name: value for name, value in EXAMPLE.items() if name not in secrets}
    others["CONTAINER_UID"] = str(os.getuid() or 50_000)
    assert {name: value for name, value in dotenv.items() if name not in secrets} == others


def test_env_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    command = ["sh", str(ROOT / "docker/make-env.sh"), str(path)]
    assert subprocess.run(command, umask=0o000, capture_output=True).returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 1
    assert "left as it is" in again.stderr
    assert path.read_text() == before
    assert [*tmp_path.iterdir()] == [path], "nothing half-written stays"


def test_without_secrets_compose_says_what_to_do() -> None:
    with pytest.raises(AssertionError, match=r"set it in \.env, see \.env\.example"):
        environment_of("postgres", {})


def test_users_of_a_directory_come_by_fab_alone_and_the_web_server_alone_knows_its_secrets(
    dotenv: dict[str, str],
) -> None:
    sso = {PREFIX + name.upper() for name in SignOn.model_fields}
    knows = {name for name, service in SERVICES.items() if sso & service.get("environment", {}).keys()}
    assert knows == {"airflow-api-server"}
    assert sso <= SERVICES["airflow-api-server"]["environment"].keys()
    stated = dotenv | {"AIRFLOW_AUTH_MANAGER": FAB, "SSO_KIND": "oidc", "SSO_ISSUER": "https://idp.example"}
    stated |= {"SSO_CLIENT_ID": "newswatch", "SSO_CLIENT_SECRET": "hidden", "SSO_OPERATORS": "ops"}
    assert compose_faults(stated) == ()

    def told(**changed: str) -> str:
        return " ".join(map(str, compose_faults(stated | changed)))

    assert "log-ins go by SSO only with" in told(AIRFLOW_AUTH_MANAGER=EXAMPLE["AIRFLOW_AUTH_MANAGER"] or "")
    assert "AIRFLOW_AUTH_MANAGER: it takes its users from the variables SSO_" in told(SSO_KIND="")
    assert "SSO_CLIENT_SECRET is needed" in told(SSO_CLIENT_SECRET="")
    assert "SSO_OPERATOR: nobody reads it" in told(SSO_OPERATOR="ops")
    assert "they are one user" in told(AIRFLOW_ANALYST_USER="newswatch")
    assert "hidden" not in told(SSO_ISSUER="nonsense")


# ── newswatch ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_newswatch_variable_is_a_setting_and_has_a_fitting_value(
    dotenv: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name for name in everything_set() if name.startswith("NEWSWATCH_")}
    assert {name.removeprefix("NEWSWATCH_").lower() for name in names} <= Settings.model_fields.keys()
    for name, value in environment_of("airflow-scheduler", dotenv).items():
        if name.startswith("NEWSWATCH_"):
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.elasticsearch_url == "https://elasticsearch:9200"
    assert settings.elasticsearch_password is not None
    assert settings.elasticsearch_password.get_secret_value() == dotenv["NEWSWATCH_ELASTICSEARCH_PASSWORD"]
    assert (settings.smtp_host, settings.smtp_port, settings.smtp_security) == ("mailpit", 1025, "none")


def test_the_watchman_waits_for_nobody_and_knows_where_everything_is(
    dotenv: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = SERVICES["watchman"]
    assert "depends_on" not in service, "what does not start is what it tells of"
    for name, value in environment_of(
        "watchman", dotenv | {"NEWSWATCH_OPERATOR_URL": "https://hooks.example/x"}
    ).items():
        if name.startswith("NEWSWATCH_"):
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.airflow_url == "http://airflow-api-server:8080"
    assert (settings.operator, settings.heartbeat_url) == (None, None)
    assert [way.title for way in ways(settings)] == ["POST to hooks.example"]
    assert f"watchman:{settings.data_dir}" in service["volumes"]
    assert str(settings.data_dir) in DOCKERFILE
    *_, check = service["healthcheck"]["test"]
    assert str(settings.data_dir / "watch.lock") in check


def test_no_index_comes_back_by_itself() -> None:
    assert (
        SERVICES["elasticsearch"]["environment"]["action.auto_create_index"]
        == NODE_SETTINGS["action.auto_create_index"]
        == "false"
    )


def test_services_are_called_by_their_names(dotenv: dict[str, str]) -> None:
    urls = "\n".join(value for name in SERVICES for value in environment_of(name, dotenv).values())
    hosts = set(re.findall(r"(?:https?://|@)([a-z][a-z-]*[a-z])(?=[:/])", urls))
    assert hosts == {"elasticsearch", "kibana", "airflow-api-server", "postgres", "valkey"}
    assert hosts <= SERVICES.keys()


def test_a_server_is_said_once(dotenv: dict[str, str]) -> None:
    """No connection of Airflow's says again, and perhaps otherwise, what the variables say."""
    assert not [name for name in everything_set() if name.startswith("AIRFLOW_CONN_")]


# ── below a path ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_below_a_path_everybody_asks_there(dotenv: dict[str, str]) -> None:
    there = dotenv | {"AIRFLOW_URL": "https://x.example", "AIRFLOW_PATH": "/airflow", "KIBANA_PATH": "/kibana"}
    given = environment_of("airflow-scheduler", there)
    assert given["AIRFLOW__API__BASE_URL"] == given["NEWSWATCH_PUBLIC_URL"] == "https://x.example/airflow"
    assert given["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:8080/airflow/execution/"
    assert environment_of("watchman", there)["NEWSWATCH_AIRFLOW_URL"] == "http://airflow-api-server:8080/airflow"
    checks = [filled_in(s["healthcheck"]["test"][-1], there) for s in SERVICES.values() if "healthcheck" in s]
    asked = [check for check in checks if "/api/v2/monitor/health" in check]
    assert len(asked) == 3
    assert all(":8080/airflow/api/v2/monitor/health" in check for check in asked)
    kibana_given = environment_of("kibana", there)
    assert (kibana_given["SERVER_BASEPATH"], kibana_given["SERVER_REWRITEBASEPATH"]) == ("/kibana", "true")
    assert kibana_given["SERVER_PUBLICBASEURL"].endswith(":5601/kibana")
    assert environment_of("kibana-setup", there)["KIBANA_URL"] == "http://kibana:5601/kibana"
    assert filled_in(SERVICES["kibana"]["healthcheck"]["test"][-1], there).endswith("/kibana/login")
    assert not environment_of("kibana", dotenv)["SERVER_BASEPATH"]
    assert not environment_of("kibana", dotenv)["SERVER_REWRITEBASEPATH"]


# ── Airflow ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_every_airflow_variable_is_an_option_of_this_airflow() -> None:
    from airflow.configuration import retrieve_configuration_description
    from airflow.jobs import scheduler_job_runner

    known = retrieve_configuration_description(include_airflow=True, include_providers=True)
    scheduler = Path(scheduler_job_runner.__file__).read_text(encoding="utf-8")
    of_debian = dotenv_values(ROOT / "deploy/debian/environment.example")
    names = {name for name in {*everything_set(), *of_debian} if name.startswith("AIRFLOW__")}
    assert len(names) > 15
    for name in names:
        _, section, option = name.lower().split("__")
        assert section in known, name
        is_described = option in known[section]["options"]
        assert is_described or f'"{option}"' in scheduler, name  # it reads one that no list describes


@pytest.mark.slow
def test_the_health_checks_ask_for_what_airflow_tells() -> None:
    from airflow.api_fastapi.core_api.datamodels.monitor import HealthInfoResponse

    asked = set()
    for name, service in SERVICES.items():
        test = service.get("healthcheck", {}).get("test", [])
        if test[:3] == ["CMD", "python", "-c"]:
            compile(test[3], name, "exec")
            asked |= set(re.findall(r'health\["(\w+)"\]', test[3]))
    assert asked == {"dag_processor", "triggerer"}
    assert asked <= HealthInfoResponse.model_fields.keys()


def test_the_password_file_holds_what_airflow_reads_back(dotenv: dict[str, str], tmp_path: Path) -> None:
    airflow = tmp_path / "airflow"
    airflow.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    airflow.chmod(0o755)
    (tmp_path / "python").symlink_to(sys.executable)
    written = tmp_path / "passwords.json"
    given = environment_of("airflow-init", {**dotenv, "AIRFLOW_ADMIN_PASSWORD": 'it\'s "quoted" \\ so'})
    given["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(written)
    command = [filled_in(part, dotenv) for part in SERVICES["airflow-init"]["command"]]
    subprocess.run(command, env={**given, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    mine = {"newswatch": 'it\'s "quoted" \\ so', "analyst": dotenv["AIRFLOW_ANALYST_PASSWORD"]}
    assert json.loads(written.read_text()) == mine
    assert written.stat().st_mode & 0o077 == 0
    assert (tmp_path / "asked").read_text() == "db migrate\n", "after `db check`, which it says last"
    assert given["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "newswatch:admin,analyst:viewer"


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_elasticsearch_kibana_and_the_embedded_node_are_of_one_version() -> None:
    embedded = re.search(r"org\.elasticsearch:elasticsearch:([\d.]+)", (ROOT / "embedded/java/jgo.toml").read_text())
    assert embedded is not None
    images = {service["image"] for service in SERVICES.values() if "elastic.co" in service["image"]}
    assert {image.partition("@")[0].rpartition(":")[2] for image in images} == {embedded[1]}


def test_our_image_carries_our_version_and_the_locked_airflow() -> None:
    built = [name for name, service in SERVICES.items() if "build" in service]
    assert built == ["newswatch-check"], "two builds of one tag would race"
    ours = {n: s for n, s in SERVICES.items() if s["image"].startswith("newswatch:")}
    assert {service["image"] for service in ours.values()} == {f"newswatch:{__version__}"}
    assert len(ours) == 12
    for name, service in ours.items():
        assert service["pull_policy"] == "never", name
        assert service["read_only"], name
    named = set(re.findall(r"Airflow (\d+\.\d+\.\d+)", DOCKERFILE + COMPOSE_TEXT))
    assert named <= {LOCKED["apache-airflow"]}
    assert "apache/airflow" not in DOCKERFILE
    for provider in ("celery", "postgres"):
        assert f"apache-airflow-providers-{provider}" in LOCKED


# ── the image ────────────────────────────────────────────────────────────────────────────────────────────────────────


def copied() -> set[str]:
    """What the Dockerfile copies from the project."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()[:-1]}


def test_what_is_copied_is_there_and_let_through() -> None:
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert all((ROOT / source).exists() for source in copied())
    assert copied() == let_through


def test_every_package_of_ours_is_copied() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert copied() >= {*wheel["packages"], *wheel["force-include"], PROJECT["project"]["readme"], "requirements.lock"}


def test_the_image_is_built_from_pinned_bases_and_hashes_without_git() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    pythons = [base for base in bases if base.startswith("python:")]
    assert all(map(pinned, bases))
    assert len(set(pythons)) == 1
    assert len(pythons) == 2
    assert DOCKERFILE.count("--require-hashes") == 2
    assert "git" not in DOCKERFILE.partition("FROM")[2]
    minor = re.match(r"python:(\d+\.\d+)", pythons[0])
    assert minor is not None
    assert set(re.findall(r"python(\d+\.\d+)", DOCKERFILE)) == {minor[1]}


def test_the_image_does_not_run_as_root_and_owns_where_it_writes() -> None:
    last = DOCKERFILE.rpartition("FROM")[2]
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["50000:0"]
    assert "touch /opt/airflow/airflow.cfg" in last, "Airflow would write it, and the file system is read-only"
    for name in ("logs", "auth"):
        assert f"/opt/airflow/{name}" in last
        assert f"airflow-{name}:/opt/airflow/{name}" in SERVICES["airflow-scheduler"]["volumes"]


# ── the scripts ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Recorder(BaseHTTPRequestHandler):
    """Answers as Elasticsearch does when it agrees, and remembers what it was asked."""

    asked: ClassVar[list[tuple[str, str, Any]]] = []
    status: ClassVar[int] = 200

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.command, self.path, json.loads(body)))
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.do_PUT()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[str]:
    Recorder.asked, Recorder.status = [], 200
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def set_up_users(url: str, **given: str) -> subprocess.CompletedProcess[str]:
    passwords = {"ELASTIC_PASSWORD": "superuser", "KIBANA_PASSWORD": "forkibana1"}
    environment = {**passwords, "NEWSWATCH_ELASTICSEARCH_PASSWORD": "fornewswatch", **given}
    return subprocess.run(
        ["bash", ROOT / "docker/elasticsearch-users.sh"],
        env={"PATH": os.environ["PATH"], "ELASTICSEARCH_URL": url, **environment},
        capture_output=True,
        text=True,
    )


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
def test_the_users_are_made_and_newswatch_may_touch_its_own_indices_only(recorder: str) -> None:
    done = set_up_users(recorder)
    assert done.returncode == 0, done.stderr
    asked = {path: body for _, path, body in Recorder.asked}
    assert asked["/_security/user/kibana_system/_password"] == {"password": "forkibana1"}
    assert asked["/_security/user/newswatch"]["roles"] == ["newswatch"]
    names = {value.fget(Names()) for value in vars(Names).values() if isinstance(value, property) and value.fget}
    (granted,) = asked["/_security/role/newswatch"]["indices"]
    assert set(granted["names"]) == {*names, "drill-*"}, "and the copies of a restore drill"
    assert asked["/_security/role/newswatch"]["cluster"] == [
        "monitor",
        "manage_index_templates",
        "cluster:admin/repository/*",
        "cluster:admin/snapshot/*",
    ]


@needs_curl
def test_a_refusal_ends_the_set_up(recorder: str) -> None:
    Recorder.status = 403
    done = set_up_users(recorder)
    assert done.returncode == 1
    assert "was refused" in done.stderr
    assert len(Recorder.asked) == 1


@needs_curl
def test_a_password_that_would_break_out_of_json_is_refused_unsent(recorder: str) -> None:
    done = set_up_users(recorder, KIBANA_PASSWORD='a", "b": "c')
    assert done.returncode == 1
    assert "KIBANA_PASSWORD in .env must be eight or more letters and digits" in done.stderr
    assert Recorder.asked == []


@pytest.mark.parametrize("script", sorted((ROOT / "docker").glob("*.sh")), ids=lambda path: path.name)
def test_a_script_can_be_read_by_the_shell_it_is_for(script: Path) -> None:
    shell = "bash" if "bash" in script.read_text().splitlines()[0] else "sh"
    subprocess.run([shell, "-n", script], check=True)


def test_the_scripts_that_are_mounted_are_those_that_are_run() -> None:
    for name in ("elasticsearch-certs", "elasticsearch-users"):
        service = SERVICES[name]
        assert service["entrypoint"] == ["/bin/bash", f"/docker/{name}.sh"]
        assert f"./docker/{name}.sh:/docker/{name}.sh:ro,z" in service["volumes"]
