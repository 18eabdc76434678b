"""The alert rules and the dashboard in `monitoring/`: every series they name exists, every rule fires once, and an hour
of ordinary work fires none. Prometheus' own `promtool` decides, where it is installed (Debian's package prometheus)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from newswatch.config import plain
from observe.metrics import exported_names
from observe.series import COUNTERS, GAUGES, HISTOGRAMS, JOB_COUNTERS

MONITORING = Path(__file__).parent.parent / "monitoring"
RULES = MONITORING / "prometheus-rules.yaml"
DASHBOARD = MONITORING / "grafana-dashboard.json"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)
NAME = re.compile(r"\bnewswatch_\w+")
MATCHERS = re.compile(r"(\bnewswatch_\w+)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|without) \(([^)]*)\)")


def rules() -> list[dict[str, Any]]:
    (group,) = plain(RULES.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"])


def queries() -> dict[str, str]:
    """Where it stands → the query: of every rule and every panel."""
    of_panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel.get("targets", ())
    }
    return {rule["alert"]: rule["expr"] for rule in rules()} | of_panels


def labels() -> dict[str, set[str]]:
    """Series → its labels."""
    known = {gauge.name: {*gauge.labels} for gauge in GAUGES}
    known |= {counter.name: {counter.label} - {""} for counter in COUNTERS}
    known |= {counter.name: {"job"} for counter in JOB_COUNTERS}
    known |= {f"{series.name}_bucket": {"le"} for series in HISTOGRAMS}
    return known | {"newswatch_condition": {"id", "severity"}, "newswatch_build_info": {"version", "python"}}


# ── what needs no promtool ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", queries())
def test_every_series_that_is_asked_for_exists_with_its_labels(place: str) -> None:
    query = queries()[place]
    assert set(NAME.findall(query)) <= exported_names()
    for name, matchers in MATCHERS.findall(query):
        asked = set(re.findall(r"(\w+)\s*[=!]~?", matchers))
        assert asked <= labels().get(name, set()), name
    offered = {label for name in NAME.findall(query) for label in labels().get(name, set())} | {"instance"}
    grouped = {label.strip() for found in GROUPING.findall(query) for label in found.split(",") if label.strip()}
    assert grouped <= offered


def test_every_counter_is_asked_for_by_its_growth() -> None:
    counters = {series.name for series in COUNTERS} | {series.name for series in JOB_COUNTERS}
    for place, query in queries().items():
        for name in set(NAME.findall(query)) & counters:
            assert re.search(rf"(rate|increase)\({name}", query), place


def test_a_rule_says_what_is_wrong_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert {"summary", "description"} == set(rule["annotations"]), rule["alert"]
        assert rule["annotations"]["description"].endswith("."), rule["alert"]


def test_the_dashboard_is_one_that_grafana_can_lay_out() -> None:
    shown = panels()
    assert len({panel["id"] for panel in shown}) == len(shown)
    taken: set[tuple[int, int]] = set()
    for panel in shown:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}", "no installation's own"
            assert panel["targets"], panel["title"]


def test_the_dashboard_shows_every_gauge_of_what_comes_in_and_goes_out() -> None:
    asked = {name for query in queries().values() for name in NAME.findall(query)}
    important = ("feeds", "feeds_due", "batches_waiting", "mails_waiting", "mail_server_up", "articles_total")
    assert {f"newswatch_{name}" for name in important} <= asked


# ── each rule, fired once ────────────────────────────────────────────────────────────────────────────────────────────

MINUTES = 120
"""Length of the simulation; the fault is there from its 40th minute on."""
BROKEN_AT = 40


def steady(value: float) -> str:
    return f"{value}x{MINUTES}"


def growing(start: float, each_minute: float) -> str:
    return f"{start}+{each_minute}x{MINUTES}"


def breaks(well: float, broken: float) -> str:
    return f"{well}x{BROKEN_AT - 1} {broken}x{MINUTES - BROKEN_AT}"


def stops(each_minute: float) -> str:
    """What grows, and stays where it is from then on: a moment that nothing renews."""
    last = each_minute * (BROKEN_AT - 1)
    return f"0+{each_minute}x{BROKEN_AT - 1} {last}x{MINUTES - BROKEN_AT}"


def begins(each_minute: float) -> str:
    """What grows from then on."""
    return f"0x{BROKEN_AT - 1} {each_minute}+{each_minute}x{MINUTES - BROKEN_AT}"


ORDINARY: dict[str, str] = {
    'up{job="newswatch"}': steady(1),
    "newswatch_up": steady(1),
    "newswatch_watchman_seen_timestamp_seconds": growing(0, 60),
    'newswatch_job_succeeded_timestamp_seconds{job="plan"}': growing(0, 60),
    'newswatch_job_failures{job="plan"}': steady(0),
    'newswatch_job_failures{job="upkeep"}': steady(1),  # a single failure is tried again
    "newswatch_publisher_reached_timestamp_seconds": growing(0, 60),
    "newswatch_newest_article_timestamp_seconds": growing(0, 60),
    "newswatch_offline": steady(0),
    'newswatch_feeds{state="ok"}': steady(280),
    'newswatch_feeds{state="failing"}': steady(20),
    'newswatch_feeds{state="gone"}': steady(9),
    "newswatch_feeds_due": steady(3),
    'newswatch_articles_total{outcome="new"}': growing(0, 4),
    'newswatch_articles_total{outcome="quarantined"}': growing(0, 0.1),
    "newswatch_batches_waiting_age_seconds": f"0 45x{MINUTES}",
    "newswatch_mails_waiting_age_seconds": f"0 50x{MINUTES}",
    "newswatch_mail_server_up": steady(1),
    'newswatch_mails_total{outcome="sent"}': growing(0, 2),
    'newswatch_mails_total{outcome="failed"}': steady(7),
    'newswatch_delivery_latency_seconds_bucket{le="120.0"}': growing(0, 2),
    'newswatch_delivery_latency_seconds_bucket{le="600.0"}': growing(0, 2),
    'newswatch_delivery_latency_seconds_bucket{le="1800.0"}': growing(0, 2),
    'newswatch_delivery_latency_seconds_bucket{le="+Inf"}': growing(0, 2),
    "newswatch_saved_searches_failing": steady(0),
    'newswatch_configuration_valid{file="feeds.yaml"}': steady(1),
    'newswatch_elasticsearch_status{color="green"}': steady(1),
    'newswatch_elasticsearch_status{color="red"}': steady(0),
    "newswatch_elasticsearch_disk_free_ratio": steady(0.4),
    "newswatch_elasticsearch_indices_read_only": steady(0),
    'newswatch_certificate_expiry_timestamp_seconds{server="mail.example:465"}': steady(60 * 86_400),
}
"""An hour's work and more: series → its values, one a minute, as promtool writes them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What breaks: the series that differ, and the rule that fires."""

    rule: str
    series: dict[str, str]
    within: int = 5
    """Minutes from the fault to the alarm."""


FAULTS = (
    Fault("NewswatchDown", {'up{job="newswatch"}': breaks(1, 0)}),
    Fault("NewswatchUnreadable", {"newswatch_up": breaks(1, 0)}, 3),
    Fault(
        "NewswatchCritical",
        {'newswatch_condition{id="network",severity="critical"}': f"_x{BROKEN_AT} 1x{MINUTES - BROKEN_AT}"},
        3,
    ),
    Fault(
        "NewswatchWarning",
        {'newswatch_condition{id="search:a",severity="warning"}': f"_x{BROKEN_AT} 1x{MINUTES - BROKEN_AT}"},
        8,
    ),
    Fault("NewswatchWatchmanSilent", {"newswatch_watchman_seen_timestamp_seconds": stops(60)}, 6),
    Fault("NewswatchNotPolling", {'newswatch_job_succeeded_timestamp_seconds{job="plan"}': stops(60)}, 8),
    Fault("NewswatchNothingReached", {"newswatch_publisher_reached_timestamp_seconds": stops(60)}, 18),
    Fault("NewswatchOffline", {"newswatch_offline": breaks(0, 1)}),
    Fault(
        "NewswatchFeedsFailing",
        {'newswatch_feeds{state="failing"}': breaks(20, 150), 'newswatch_feeds{state="ok"}': breaks(280, 150)},
        33,
    ),
    Fault("NewswatchFeedsOverdue", {"newswatch_feeds_due": breaks(3, 200)}, 18),
    Fault("NewswatchNoNewArticles", {"newswatch_newest_article_timestamp_seconds": steady(-6 * 3_600)}, 0),
    Fault("NewswatchQuarantineGrows", {'newswatch_articles_total{outcome="quarantined"}': begins(2)}, 15),
    Fault("NewswatchBatchesWaiting", {"newswatch_batches_waiting_age_seconds": begins(60)}, 14),
    Fault("NewswatchMailServerDown", {"newswatch_mail_server_up": breaks(1, 0)}),
    Fault("NewswatchMailsWaiting", {"newswatch_mails_waiting_age_seconds": begins(60)}, 19),
    Fault("NewswatchMailsFailed", {'newswatch_mails_total{outcome="failed"}': breaks(7, 8)}, 3),
    Fault(
        "NewswatchMailsSlow",
        {
            'newswatch_delivery_latency_seconds_bucket{le="120.0"}': stops(2),
            'newswatch_delivery_latency_seconds_bucket{le="600.0"}': stops(2),
        },
        40,
    ),
    Fault("NewswatchSearchFailing", {"newswatch_saved_searches_failing": breaks(0, 1)}, 13),
    Fault("NewswatchJobFailing", {'newswatch_job_failures{job="upkeep"}': breaks(1, 3)}, 3),
    Fault("NewswatchConfigurationWrong", {'newswatch_configuration_valid{file="feeds.yaml"}': breaks(1, 0)}, 3),
    Fault("NewswatchElasticsearchRed", {'newswatch_elasticsearch_status{color="red"}': breaks(0, 1)}, 3),
    Fault("NewswatchDiskLow", {"newswatch_elasticsearch_disk_free_ratio": breaks(0.4, 0.14)}, 8),
    Fault("NewswatchIndicesReadOnly", {"newswatch_elasticsearch_indices_read_only": breaks(0, 1)}, 3),
    Fault(
        "NewswatchCertificateEnds",
        {'newswatch_certificate_expiry_timestamp_seconds{server="mail.example:465"}': steady(14 * 86_400)},
        25,
    ),
)


def firing(minute: int, names: set[str]) -> dict[str, Any]:
    """promtool's expectation that exactly these rules fire at that minute."""
    found = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)]
    query = 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0'
    return {"expr": query, "eval_time": f"{minute}m", "exp_samples": found}


def simulation(name: str, changed: dict[str, str], expected: list[dict[str, Any]]) -> dict[str, Any]:
    """A test of promtool: ordinary work but for what is changed. Its clock begins in 1970, at 0."""
    series = [{"series": each, "values": values} for each, values in (ORDINARY | changed).items()]
    return {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": expected}


def run(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_rule_has_a_fault_and_ordinary_work_has_every_series() -> None:
    assert {fault.rule for fault in FAULTS} == {rule["alert"] for rule in rules()}
    assert len(FAULTS) == len(rules())
    asked = {name for rule in rules() for name in NAME.findall(rule["expr"])} - {"newswatch_condition"}
    assert asked == {name for series in ORDINARY for name in NAME.findall(series)}


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    assert f"{len(rules())} rules found" in run("check", "rules", "--lint-fatal", str(RULES))


@needs_promtool
@pytest.mark.slow
def test_each_rule_fires_for_its_fault_alone_and_none_in_two_hours_of_ordinary_work(tmp_path: Path) -> None:
    quiet = [firing(minute, set()) for minute in range(5, MINUTES, 5)]
    simulations = [simulation("ordinary work", {}, quiet)]
    for fault in FAULTS:
        before = [firing(BROKEN_AT - 1, set())] if fault.within and fault.rule != "NewswatchCertificateEnds" else []
        after = firing(BROKEN_AT + fault.within, {fault.rule})
        simulations.append(simulation(fault.rule, fault.series, [*before, after]))
    whole = {"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": simulations}
    path = tmp_path / "rules.test.yaml"
    path.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    run("test", "rules", str(path))


@needs_promtool
def test_promtool_accepts_every_query_of_the_dashboard(tmp_path: Path) -> None:
    asked = [
        {"record": f"panel:{number}", "expr": target["expr"].replace("$__rate_interval", "5m")}
        for number, target in enumerate(target for panel in panels() for target in panel.get("targets", ()))
    ]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}), encoding="utf-8")
    assert f"{len(asked)} rules found" in run("check", "rules", str(path))
