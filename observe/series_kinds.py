"""The kinds of series: what each takes from the pulse, as a metric family of Prometheus. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from newswatch.latencies import buckets
from newswatch.pulse import JobPulse
from observe.pulse import Pulse

Sample = tuple[Sequence[str], float]
"""The values of the labels, in their order, and the number."""


def jobs_in_order(pulse: Pulse) -> list[JobPulse]:
    return [pulse.jobs[name] for name in sorted(pulse.jobs)]


@dataclass(frozen=True, slots=True)
class Term:
    """A number among a job's totals, less others that are contained in it."""

    job: str
    name: str
    less: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The numbers it is made of, as (job, name)."""
        return frozenset((self.job, name) for name in (self.name, *self.less))

    def of(self, counts: Mapping[str, float]) -> float:
        """Its value among the counts of its job; 0 where they lack it, as before the job's first run."""
        return counts.get(self.name, 0.0) - sum(counts.get(name, 0.0) for name in self.less)


@dataclass(frozen=True, slots=True)
class Counter:
    """A series that only grows, one value for each term."""

    name: str
    help: str
    terms: Mapping[str, Term]
    """The label's value → the number; of a series without a label, the only key is empty."""
    label: str = ""

    def family(self, pulse: Pulse) -> Metric:
        """The series with its values."""
        family = CounterMetricFamily(self.name, self.help, labels=[self.label] if self.label else [])
        for value, term in self.terms.items():
            job = pulse.jobs.get(term.job)
            family.add_metric([value] if self.label else [], term.of(job.totals if job else {}))
        return family


@dataclass(frozen=True, slots=True)
class Gauge:
    """A series that goes up and down, or a moment."""

    name: str
    help: str
    samples: Callable[[Pulse], Iterable[Sample]]
    labels: tuple[str, ...] = ()

    def family(self, pulse: Pulse) -> Metric:
        """The series with its values."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for values, number in self.samples(pulse):
            family.add_metric(values, number)
        return family


@dataclass(frozen=True, slots=True)
class JobCounter:
    """A number that every job keeps, one value for each job."""

    name: str
    help: str
    total: str
    """Its name among the totals."""

    def family(self, pulse: Pulse) -> Metric:
        """The series with its values."""
        family = CounterMetricFamily(self.name, self.help, labels=["job"])
        for job in jobs_in_order(pulse):
            family.add_metric([job.job], job.totals.get(self.total, 0.0))
        return family


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations, by upper bounds."""

    name: str
    help: str
    job: str
    total: str
    """The name of its `Latencies` in the job's report."""

    def family(self, pulse: Pulse) -> Metric:
        """The series with its values."""
        job = pulse.jobs.get(self.job)
        bounds, seconds = buckets(job.totals if job else {}, self.total)
        return HistogramMetricFamily(self.name, self.help, buckets=bounds, sum_value=seconds)


Series = Counter | Gauge | JobCounter | Histogram
