"""Airflow's health, by its own page: does the web server answer, do scheduler, DAG processor and triggerer report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import requests

from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import DEADLINE_S, Probe, Report
from observe.web import why_not

ID: Final = "airflow"
ANSWER_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of Airflow that says how it is."""

    id: str
    """The condition's id."""
    title: str
    consequence: str
    """What follows if it does not run."""
    severity: Severity = Severity.CRITICAL


PARTS: Final[Mapping[str, Part]] = {
    "scheduler": Part("scheduler", "Airflow's scheduler", "nothing is polled, matched or mailed"),
    "dag_processor": Part(
        "dag-processor",
        "Airflow's DAG processor",
        "changes of DAGs are not read, and within minutes nothing is polled, matched or mailed",
    ),
    "triggerer": Part(
        "triggerer",
        "Airflow's triggerer",
        "news and mails go on, but nobody is told of runs that come late (deadlines)",
        Severity.WARNING,
    ),
}
"""Airflow's name → the part."""
_UNKNOWN: Final = frozenset(part.id for part in PARTS.values())
_RESTART: Final = "Start it again and see its log; `newswatch up` and docker compose do so by themselves."


def airflow(settings: Settings) -> Probe | None:
    """The probe of the Airflow at `NEWSWATCH_AIRFLOW_URL`; None if that is not set."""
    url = (settings.airflow_url or "").rstrip("/")
    if not url:
        return None
    late = Report((_away(url, f"no answer within {DEADLINE_S:g} s"),), unknown=_UNKNOWN)
    return Probe(ID, lambda: ask(url), late=late)


def ask(url: str) -> Report:
    """What the Airflow at `url` says of itself. Without an answer nothing is known of its parts."""
    try:
        response = requests.get(f"{url}/api/v2/monitor/health", timeout=ANSWER_S, allow_redirects=False)
        if response.status_code != HTTPStatus.OK:
            return Report((_away(url, f"it answers {response.status_code}"),), unknown=_UNKNOWN)
        return judge(url, response.json())
    except requests.JSONDecodeError:
        return Report((_away(url, "its answer is not Airflow's"),), unknown=_UNKNOWN)
    except requests.RequestException as error:
        return Report((_away(url, why_not(error, ANSWER_S)),), unknown=_UNKNOWN)


def judge(url: str, health: Any) -> Report:
    """The conditions in the answer of `/api/v2/monitor/health`. Pure."""
    if not isinstance(health, Mapping) or not isinstance(health.get("metadatabase"), Mapping):
        return Report((_away(url, "its answer is not Airflow's"),), unknown=_UNKNOWN)
    if health["metadatabase"].get("status") != "healthy":
        sentence = "Airflow's database can't be used, so nothing is polled, matched or mailed."
        next_step = "Look at the database server and at the log of Airflow's api-server."
        return Report((Condition(ID, Severity.CRITICAL, sentence, next_step),), unknown=_UNKNOWN)
    ill = [name for name in PARTS if _status(health, name) != "healthy"]
    return Report(tuple(_ill(name, health) for name in ill))


def _status(health: Mapping[str, Any], name: str) -> str:
    part = health.get(name)
    return str(part.get("status")) if isinstance(part, Mapping) else "missing"


def _ill(name: str, health: Mapping[str, Any]) -> Condition:
    part = PARTS[name]
    beat = health[name].get(f"latest_{name}_heartbeat") if isinstance(health.get(name), Mapping) else None
    sentence = f"{part.title} does not run: {part.consequence}."
    return Condition(part.id, part.severity, sentence, _RESTART, _moment(beat))


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _away(url: str, why: str) -> Condition:
    sentence = f"Airflow's web server at {url} can't be used: {why}. Nothing is polled, matched or mailed."
    return Condition(ID, Severity.CRITICAL, sentence, _RESTART)
