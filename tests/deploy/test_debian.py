"""What installs newswatch on a Debian host: services, settings, commands; without systemd."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from dotenv import dotenv_values
from typer.main import get_command

from cli.main import app
from newswatch.airflow_faults import airflow_faults
from newswatch.setting_faults import mistyped

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/debian"
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
GUIDE = (ROOT / "docs/debian.md").read_text()
PROGRAMS = "/opt/newswatch/bin/"
every_unit = pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)


def command() -> ModuleType:
    spec = importlib.util.spec_from_file_location("command", FOLDER / "command.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


settings = command().settings


def unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """Section → option → its values."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)]", line):
            section = found.setdefault(match[1], {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            section.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings as `install.sh` writes them."""
    path = tmp_path_factory.mktemp("etc") / "environment"
    made: list[str | Path] = ["sh", ROOT / "docker/make-env.sh", path, FOLDER / "environment.example"]
    subprocess.run(made, capture_output=True, check=True)
    assert path.stat().st_mode & 0o777 == 0o600
    found: dict[str, str] = settings(path.read_text())
    assert found == dotenv_values(path, interpolate=False)
    return found


def test_new_settings_have_no_fault_and_each_secret_its_own(environment: dict[str, str]) -> None:
    assert (*airflow_faults(environment), *mistyped(environment)) == ()
    secrets = [value for name, value in environment.items() if re.search("SECRET|TOKEN|KEY", name)]
    assert len(secrets) == len({*secrets}) == 5


@every_unit
def test_a_service_runs_a_command_that_there_is_without_rights_and_with_all_settings(path: Path) -> None:
    service = unit(path)["Service"]
    assert (service["User"], service["EnvironmentFile"]) == (["newswatch"], ["/etc/newswatch/environment"])
    assert (service["ProtectSystem"], service["NoNewPrivileges"]) == (["strict"], ["true"])
    # What stands in the file would win over it in silence.
    assert "Environment" not in service
    for line in (each.removeprefix("-") for each in service["ExecStart"]):
        program, verb, *_ = line.removeprefix(PROGRAMS).split()
        known = get_command(app).commands if program == "newswatch" else AIRFLOW  # type: ignore[attr-defined]
        assert line.startswith(PROGRAMS)
        assert verb in known


@pytest.mark.parametrize("path", [path for path in UNITS if "ExecStartPost" in unit(path)["Service"]], ids=str)
def test_waiting_for_an_answer_ends_with_the_service_and_without_an_address(path: Path) -> None:
    (line,) = unit(path)["Service"]["ExecStartPost"]
    shell, flag, script = shlex.split(line)

    def status(**given: str) -> int:
        made = [shell, flag, script.replace("$$", "$").replace("%%", "%")]
        return subprocess.run(made, env={"PATH": os.environ["PATH"]} | given, timeout=60).returncode

    url = re.findall(r"NEWSWATCH_\w+_URL", script)[-1]
    ended = "99999999"  # no process has so high a number
    assert status(MAINPID=ended, **{url: "http://127.0.0.1:1"}) == 1
    if url == "NEWSWATCH_AIRFLOW_URL":
        assert status(MAINPID=ended) == 0, "this setting may be left out"
    with answering() as address:
        proxies = {"http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
        assert status(MAINPID=ended, **{url: address}, **proxies) == 0


@contextmanager
def answering() -> Iterator[str]:
    """A server that answers whatever is asked; its address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "db"}


def test_the_target_starts_what_does_not_start_by_itself() -> None:
    units = {path.name: unit(path) for path in UNITS}
    wanted = " ".join(unit(FOLDER / "systemd/newswatch.target")["Unit"]["Wants"]).split()
    lone = {name for name, each in units.items() if "Install" not in each}
    assert {*wanted} - {"newswatch-clean.timer"} == lone - {"newswatch-setup.service", "newswatch-clean.service"}
    for name in {*wanted} & lone:
        assert units[name]["Unit"]["Requires"] == ["newswatch-setup.service"]
        assert units[name]["Unit"]["PartOf"] == ["newswatch.target"]
    for name in re.findall(r"systemctl \w+ (?:--now )?([a-z. -]+)", GUIDE):
        assert {*name.split()} <= {"reload", "nginx", "newswatch.target", *(n.removesuffix(".service") for n in units)}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_reads_them() -> None:
    paths = sorted(map(str, (FOLDER / "systemd").iterdir()))
    told = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True).stderr
    assert [line for line in told.splitlines() if "newswatch" in line and "is not executable" not in line] == []


def test_settings_are_read_as_systemd_reads_them() -> None:
    text = '# what\n\nA=b&c?d=e;f\nB=\'x "y" #z\'\nC="p q"\n  D = \nE=\nA=last\n'
    with pytest.raises(ValueError, match="line 6 is no NAME=value"):
        settings(text)
    assert settings(text.replace("  D = \n", "")) == {"A": "last", "B": 'x "y" #z', "C": "p q", "E": ""}


@pytest.mark.parametrize("line", ["A=b c", "A=b\\", "A='it's'", 'A="a$b"', "A=x'y'", "export A=b"])
def test_what_shells_and_systemd_read_differently_is_refused_without_its_value(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2") as refused:
        settings(f"OK=1\n{line}\n")
    assert line.partition("=")[2] not in str(refused.value)


def test_an_update_renews_a_taxonomy_that_nobody_changed_and_says_so_of_another(tmp_path: Path) -> None:
    checkout, etc, shipped = tmp_path / "checkout", tmp_path / "etc", tmp_path / "shipped"
    files = {name: checkout / "config" / name for name in ("feeds.yaml", "alerts.yaml", "taxonomy.yaml")}
    script = checkout / "deploy/debian/files.sh"
    for folder in (etc, script.parent, checkout / "config"):
        folder.mkdir(parents=True)
    shutil.copy(FOLDER / script.name, script)

    def update(edition: str) -> str:
        for file in files.values():
            file.write_text(edition)
        # As anybody, since a test may be root and has no group newswatch.
        plain = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(
            ["sh", script, etc, shipped], capture_output=True, text=True, check=True, env=plain
        ).stderr

    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    taxonomy = etc / "taxonomy.yaml"
    assert (update("1"), update("2"), taxonomy.read_text()) == ("", "", "2")
    assert (etc / "feeds.yaml").read_text() == (etc / "alerts.yaml").read_text() == "1", "they are the host's own"
    taxonomy.write_text("mine")
    assert (update("2"), taxonomy.read_text()) == ("", "mine")
    assert "has changes of your own" in update("3")
    assert [taxonomy.read_text(), *(path.read_text() for path in sorted(shipped.iterdir()))] == ["mine", "3", "2"]
    assert update("3") == "", "it is said once"


@pytest.mark.parametrize("script", ["install.sh", "files.sh"])
def test_a_script_can_be_read(script: str) -> None:
    subprocess.run(["sh", "-n", FOLDER / script], check=True)


def test_what_the_installer_and_the_guide_name_is_there() -> None:
    named = re.findall(
        r"\b((?:deploy|docker|config|monitoring)/[\w./-]+\w)", GUIDE + (FOLDER / "install.sh").read_text()
    )
    assert named
    assert [name for name in named if name != "config/" and not (ROOT / name).exists()] == []
