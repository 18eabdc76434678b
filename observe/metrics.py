"""The metrics: a reading of the pulse in Prometheus' formats, and the counts of a run for StatsD and OpenTelemetry."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from newswatch import __version__
from observe.condition import Condition
from observe.pulse import Pulse
from observe.series import COUNTERS, GAUGES, HISTOGRAMS, JOB_COUNTERS, SERIES
from observe.series_kinds import Series

READ_ANYWAY: Final = ("newswatch_up", "newswatch_build_info", "newswatch_condition")
"""Series that are there even if the pulse can't be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the metrics are made of."""

    pulse: Pulse | None
    """None: it can't be read."""
    conditions: tuple[Condition, ...] = field(default=())


class PulseCollector(Collector):
    """One reading as Prometheus' metric families."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        """Every series of the table; if the pulse can't be read, those of `READ_ANYWAY`."""
        pulse = self._reading.pulse
        up = "1 if the state of newswatch could be read from Elasticsearch."
        yield GaugeMetricFamily("newswatch_up", up, float(pulse is not None))
        yield _build_info()
        yield _conditions(self._reading.conditions)
        if pulse is not None:
            yield from (series.family(pulse) for series in SERIES)


def _build_info() -> Metric:
    family = GaugeMetricFamily("newswatch_build_info", "Version of newswatch; always 1.", labels=["version", "python"])
    family.add_metric([__version__, platform.python_version()], 1)
    return family


def _conditions(conditions: Iterable[Condition]) -> Metric:
    family = GaugeMetricFamily("newswatch_condition", "1 for everything that is wrong.", labels=["id", "severity"])
    for condition in conditions:
        family.add_metric([condition.id, str(condition.severity)], 1)
    return family


def exposition(reading: Reading, accept: str = "") -> tuple[bytes, str]:
    """The metrics and their media type: Prometheus' text, or OpenMetrics where the header `accept` asks for it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PulseCollector(reading))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def exported_names() -> frozenset[str]:
    """Names of all series as queries have them: a histogram's with its endings."""
    plain: tuple[Series, ...] = (*GAUGES, *COUNTERS, *JOB_COUNTERS)
    names = {*READ_ANYWAY, *(series.name for series in plain)}
    endings = ("_bucket", "_sum", "_count")
    return frozenset(names | {series.name + ending for series in HISTOGRAMS for ending in endings})


def run_counts(job: str, counts: Mapping[str, float]) -> dict[str, float]:
    """The counts of one run under names for StatsD and OpenTelemetry: `newswatch.articles.new`. Pure.

    The label's value is part of the name, because plain StatsD has no labels and would mix the outcomes.
    """
    named = {
        ".".join(filter(None, (_dotted(series.name), value))): term.of(counts)
        for series in COUNTERS
        for value, term in series.terms.items()
        if term.job == job
    }
    return {name: number for name, number in named.items() if number > 0}


def _dotted(name: str) -> str:
    return name.removesuffix("_total").replace("newswatch_", "newswatch.", 1)
