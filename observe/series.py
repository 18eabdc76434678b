"""The table of all series that newswatch exports, each with the part of the pulse that it shows.

Names follow https://prometheus.io/docs/practices/naming/: prefix `newswatch_`, base units, `_total` for what only
grows. Counters come from the totals that the jobs keep (`JobPulse.totals`), so they are those of the whole installation
and survive restarts. Moments are Unix timestamps. Only the two queues have an age, by Elasticsearch's clock: 0 if
nothing waits.

A job's number that no series exports stands in `NOT_EXPORTED` with the reason; a test holds both to the jobs' reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from newswatch.delivery import DeliveryState
from newswatch.feed import FeedHealth
from newswatch.problems import KINDS
from newswatch.pulse import JobPulse
from observe.pulse import Pulse
from observe.series_kinds import Counter, Gauge, Histogram, JobCounter, Sample, Series, Term, jobs_in_order

FILES: Final = ("alerts.yaml", "feeds.yaml", "taxonomy.yaml")
"""The configuration files; `Pulse.files` has only those that are wrong."""


def _number(number: float | None) -> Iterator[Sample]:
    if number is not None:
        yield (), float(number)


def _moment(moment: datetime | None) -> Iterator[Sample]:
    yield from _number(moment.timestamp() if moment else None)


def _age(since: datetime | None, pulse: Pulse) -> Iterator[Sample]:
    yield from _number(max(0.0, (pulse.at - since).total_seconds()) if since else 0.0)


def _one_of(chosen: str, known: Iterable[str]) -> Iterator[Sample]:
    """A state as Prometheus has it: 1 for the one that is, 0 for the others; none of them if it is unknown."""
    if chosen:
        yield from (((name,), float(name == chosen)) for name in known)


def _of_jobs(value: Callable[[JobPulse], float | datetime | None]) -> Callable[[Pulse], Iterator[Sample]]:
    def samples(pulse: Pulse) -> Iterator[Sample]:
        for job in jobs_in_order(pulse):
            number = value(job)
            if number is not None:
                yield (job.job,), number.timestamp() if isinstance(number, datetime) else float(number)

    return samples


def _files(pulse: Pulse) -> Iterator[Sample]:
    wrong = {file.name for file in pulse.files if file.wrong_since}
    yield from (((name,), float(name not in wrong)) for name in sorted({*FILES, *wrong}))


def _deliveries(pulse: Pulse) -> Iterator[Sample]:
    yield from (((str(state),), float(pulse.mail.states.get(state, 0))) for state in DeliveryState)


def _feeds(pulse: Pulse) -> Iterator[Sample]:
    yield from (((str(state),), float(pulse.reach.states.get(state, 0))) for state in FeedHealth)


def _problems(pulse: Pulse) -> Iterator[Sample]:
    kinds: dict[str, int] = dict.fromkeys(KINDS, 0) | dict(pulse.problem_kinds)
    yield from (((kind,), float(number)) for kind, number in kinds.items())


def _count(job: str, name: str, *less: str) -> Mapping[str, Term]:
    return {"": Term(job, name, less)}


def _outcomes(job: str, **names: str) -> Mapping[str, Term]:
    return {outcome: Term(job, name) for outcome, name in names.items()}


GAUGES: Final[tuple[Gauge, ...]] = (
    # What comes in
    Gauge("newswatch_feeds", "Enabled feeds by state.", _feeds, ("state",)),
    Gauge("newswatch_feeds_due", "Feeds whose poll is overdue.", lambda pulse: _number(pulse.reach.due)),
    Gauge(
        "newswatch_publisher_reached_timestamp_seconds",
        "When any publisher last answered.",
        lambda pulse: _moment(pulse.reach.reached_at),
    ),
    Gauge(
        "newswatch_offline",
        "1 while no publisher can be reached because of our own network.",
        lambda pulse: _number(pulse.reach.offline_since is not None),
    ),
    Gauge(
        "newswatch_feeds_unanswered",
        "1 while none of the feeds that are polled answers, for whatever reason.",
        lambda pulse: _number(pulse.reach.unanswered_since is not None),
    ),
    Gauge(
        "newswatch_newest_article_timestamp_seconds",
        "When the newest article was indexed.",
        lambda pulse: _moment(pulse.newest_article_at),
    ),
    Gauge("newswatch_problems", "What is in quarantine, by kind.", _problems, ("kind",)),
    # What waits
    Gauge(
        "newswatch_batches_waiting",
        "Batches of articles that are indexed and not matched yet.",
        lambda pulse: _number(pulse.waiting.batches),
    ),
    Gauge(
        "newswatch_batches_waiting_age_seconds",
        "How long the oldest of them has waited.",
        lambda pulse: _age(pulse.waiting.batch_since, pulse),
    ),
    Gauge(
        "newswatch_mails_waiting",
        "Deliveries that are due and not sent.",
        lambda pulse: _number(pulse.waiting.mails),
    ),
    Gauge(
        "newswatch_mails_waiting_age_seconds",
        "How long the oldest of them has been due.",
        lambda pulse: _age(pulse.waiting.mail_since, pulse),
    ),
    Gauge(
        "newswatch_mail_server_up",
        "0 since the mail server was last found unable to take mails.",
        lambda pulse: _number(pulse.mail.down_since is None),
    ),
    Gauge(
        "newswatch_mail_accepted_timestamp_seconds",
        "When the mail server last accepted a mail.",
        lambda pulse: _moment(pulse.mail.accepted_at),
    ),
    Gauge(
        "newswatch_saved_searches_failing",
        "Saved searches that can't be run.",
        lambda pulse: _number(len(pulse.failing_searches)),
    ),
    Gauge(
        "newswatch_recipients_refused",
        "Recipients whose mail server refuses mails for now.",
        lambda pulse: _number(pulse.waiting.refused),
    ),
    Gauge("newswatch_deliveries", "Deliveries by state, one for each recipient.", _deliveries, ("state",)),
    Gauge(
        "newswatch_batch_matched_timestamp_seconds",
        "When a batch was last matched.",
        lambda pulse: _moment(pulse.waiting.matched_at),
    ),
    # What it stands on
    Gauge(
        "newswatch_configuration_valid",
        "1 if the newest version of the file is in force, 0 while it is wrong and an older one is used.",
        _files,
        ("file",),
    ),
    Gauge(
        "newswatch_elasticsearch_status",
        "Elasticsearch's health: 1 for the colour that it has.",
        lambda pulse: _one_of(pulse.storage.status, ("green", "yellow", "red")),
        ("color",),
    ),
    Gauge(
        "newswatch_elasticsearch_disk_free_ratio",
        "Smallest free share of a node's disk, from 0 to 1.",
        lambda pulse: _number(pulse.storage.disk_free),
    ),
    Gauge(
        "newswatch_elasticsearch_indices_read_only",
        "Indices that refuse writes, as a full disk makes them.",
        lambda pulse: _number(len(pulse.storage.read_only)),
    ),
    Gauge(
        "newswatch_certificate_expiry_timestamp_seconds",
        "When the certificate of a server that newswatch uses ends.",
        lambda pulse: (((host,), end.timestamp()) for host, end in pulse.certificates.items()),
        ("server",),
    ),
    # Who works
    Gauge(
        "newswatch_watchman_seen_timestamp_seconds",
        "When the watchman last looked.",
        lambda pulse: _moment(pulse.watched_at),
    ),
    Gauge(
        "newswatch_job_started_timestamp_seconds",
        "When the job last began.",
        _of_jobs(lambda job: job.started_at),
        ("job",),
    ),
    Gauge(
        "newswatch_job_succeeded_timestamp_seconds",
        "When the job last ended well.",
        _of_jobs(lambda job: job.ended_at),
        ("job",),
    ),
    Gauge(
        "newswatch_job_alive_timestamp_seconds",
        "The last sign of life of the job: working, it gives one every few seconds.",
        _of_jobs(lambda job: job.alive_at),
        ("job",),
    ),
    Gauge(
        "newswatch_job_failures",
        "Errors of the job since it last ended well.",
        _of_jobs(lambda job: job.failures),
        ("job",),
    ),
)
COUNTERS: Final[tuple[Counter, ...]] = (
    # plan
    Counter("newswatch_feeds_planned_total", "Feeds given to batches.", _count("plan", "feeds")),
    Counter("newswatch_batches_planned_total", "Batches of feeds.", _count("plan", "batches")),
    Counter(
        "newswatch_batches_reaped_total",
        "Batches that were given up because their worker was presumed dead.",
        _count("plan", "reaped"),
    ),
    Counter(
        "newswatch_feed_list_changes_total",
        "Feeds that a reading of the list changed.",
        _outcomes(
            "plan", added="sync_added", changed="sync_changed", disabled="sync_disabled", postponed="sync_postponed"
        ),
        "change",
    ),
    # pull
    Counter("newswatch_feed_polls_total", "Feeds polled.", _count("pull", "feeds")),
    Counter(
        "newswatch_feed_polls_unchanged_total",
        "Polls whose answer was that nothing is new.",
        _count("pull", "unchanged"),
    ),
    Counter(
        "newswatch_feed_poll_failures_total",
        "Polls that brought no feed, by cause: the publisher, our own network, or a document that is no feed.",
        {
            "publisher": Term("pull", "failed", ("offline",)),
            "network": Term("pull", "offline"),
            "not_a_feed": Term("pull", "not_a_feed"),
        },
        "cause",
    ),
    Counter(
        "newswatch_feed_polls_silent_total",
        "Polls in which nothing at all came back from the feed's host.",
        _count("pull", "silent"),
    ),
    Counter(
        "newswatch_publishers_reached_total",
        "Feeds whose host answered anything, and other hosts that did when asked whether our network works.",
        _count("pull", "reached"),
    ),
    Counter(
        "newswatch_feed_polls_unfinished_total",
        "Polls that the end of their batch's lease broke off; the feeds stay due.",
        _count("pull", "unfinished"),
    ),
    Counter(
        "newswatch_fetched_bytes_total", "Size of the documents and pages fetched, unpacked.", _count("pull", "bytes")
    ),
    Counter("newswatch_parse_seconds_total", "Time spent on parsing feeds.", _count("pull", "parse_seconds")),
    Counter("newswatch_entries_total", "Entries in the feeds read, seen before or not.", _count("pull", "entries")),
    Counter("newswatch_entries_new_total", "Entries that were never seen before.", _count("pull", "new_entries")),
    Counter(
        "newswatch_pages_total",
        "Article pages: read, failed, or put off to the next poll.",
        _outcomes("pull", read="pages", failed="pages_failed", put_off="pages_later"),
        "outcome",
    ),
    Counter(
        "newswatch_pages_retried_total",
        "Pages that had failed or been put off, and were tried again.",
        _count("pull", "pages_again"),
    ),
    Counter("newswatch_page_fetch_seconds_total", "Time spent on fetching pages.", _count("pull", "page_seconds")),
    Counter(
        "newswatch_page_extract_seconds_total",
        "Time spent on extracting the texts of pages.",
        _count("pull", "extract_seconds"),
    ),
    Counter(
        "newswatch_articles_total",
        "Articles by what became of them: new, a new version, carried from another address, known, or in quarantine.",
        _outcomes("pull", new="new", updated="updated", carried="carried", known="known", quarantined="quarantined"),
        "outcome",
    ),
    Counter(
        "newswatch_set_aside_total",
        "What a stage could not use, apart from articles and entries.",
        {job: Term(job, "set_aside") for job in ("pull", "match", "deliver")},
        "stage",
    ),
    # match
    Counter("newswatch_matches_total", "Articles that matched a saved search.", _count("match", "matches")),
    Counter("newswatch_deliveries_enqueued_total", "New deliveries in the outbox.", _count("match", "owed")),
    Counter(
        "newswatch_search_notices_enqueued_total",
        "Notices to readers that a saved search fails, or works again.",
        _count("match", "notices"),
    ),
    Counter("newswatch_batches_matched_total", "Batches matched with the saved searches.", _count("match", "batches")),
    Counter(
        "newswatch_saved_search_failures_total",
        "Saved searches that a run could not match.",
        _count("match", "failed"),
    ),
    # deliver
    Counter(
        "newswatch_mails_total",
        "Mails by what became of them.",
        _outcomes("deliver", sent="sent", postponed="postponed", failed="failed"),
        "outcome",
    ),
    Counter(
        "newswatch_deliveries_suppressed_total",
        "Deliveries that a rule suppressed, such as a mute.",
        _count("deliver", "suppressed"),
    ),
    Counter(
        "newswatch_recipients_left_total",
        "Due recipients whom the limits of a run left to the next.",
        _count("deliver", "left"),
    ),
    # the others
    Counter(
        "newswatch_rechecks_total",
        "Mailed articles whose page was read again, or could not be.",
        _outcomes("recheck", read="read", failed="failed"),
        "outcome",
    ),
    Counter("newswatch_rechecks_changed_total", "Mailed articles found to have changed.", _count("recheck", "changed")),
    Counter("newswatch_rechecks_noted_total", "Mailed articles noted for reading again.", _count("recheck", "noted")),
    Counter(
        "newswatch_upkeep_deleted_total",
        "What was deleted for its age.",
        _outcomes(
            "upkeep",
            entries="entries",
            batches="batches",
            problems="quarantined",
            desks="desks",
            deliveries="deliveries",
            rechecks="rechecks",
            labels="labels",
        ),
        "kind",
    ),
    Counter(
        "newswatch_upkeep_indices_total",
        "Indices dropped for their age, dropped as an upgrade has replaced them, or packed.",
        _outcomes("upkeep", dropped="dropped", superseded="superseded", merged="merged"),
        "action",
    ),
    Counter(
        "newswatch_pushed_articles_total",
        "Articles that were pushed by the API.",
        _outcomes("push", created="created", updated="updated", known="known", refused="refused"),
        "outcome",
    ),
    Counter(
        "newswatch_bounces_total",
        "Mails that came back, and answers that no person wrote.",
        _outcomes("bounces", hard="hard", soft="soft", delayed="delayed", reply="replies", unknown="unknown"),
        "kind",
    ),
    Counter("newswatch_bounces_paused_total", "Addresses that get no mail since.", _count("bounces", "paused")),
    Counter(
        "newswatch_feed_health_changes_total",
        "Changes of feeds' health that the daily mail reported.",
        _count("health", "changes"),
    ),
    Counter("newswatch_feed_health_mails_total", "Daily mails on feeds' health.", _count("health", "mailed")),
    Counter(
        "newswatch_clean_logs_total",
        "Logs deleted for their age, or emptied while they were open.",
        _outcomes("clean", deleted="logs_deleted", emptied="logs_emptied"),
        "action",
    ),
    Counter("newswatch_clean_logs_bytes_total", "Size of the logs deleted.", _count("clean", "bytes_deleted")),
    Counter(
        "newswatch_clean_databases_total", "Times that Airflow's database was cleaned.", _count("clean", "database")
    ),
    Counter("newswatch_retag_articles_total", "Articles that were tagged anew.", _count("retag", "articles")),
    Counter("newswatch_encode_articles_total", "Stored articles that were encoded.", _count("encode", "encoded")),
    Counter(
        "newswatch_backups_forgotten_total",
        "Snapshots that were too old, or not complete.",
        _count("backup", "forgotten"),
    ),
    Counter("newswatch_replay_articles_total", "Articles read again from the archive.", _count("replay", "compared")),
    Counter("newswatch_replay_written_total", "Of these, articles stored as read now.", _count("replay", "written")),
    Counter("newswatch_retag_changed_total", "Of these, articles whose tags changed.", _count("retag", "changed")),
)
JOB_COUNTERS: Final[tuple[JobCounter, ...]] = (
    JobCounter("newswatch_job_runs_total", "Runs of the job, those that failed too.", "runs"),
    JobCounter("newswatch_job_errors_total", "Runs of the job that ended in an error.", "errors"),
    JobCounter("newswatch_job_seconds_total", "Time that the job's runs took.", "seconds"),
    JobCounter(
        "newswatch_job_elasticsearch_requests_total",
        "Requests to Elasticsearch in the job's runs.",
        "elasticsearch_requests",
    ),
    JobCounter(
        "newswatch_job_elasticsearch_seconds_total",
        "Time that these requests took, also of those made side by side.",
        "elasticsearch_seconds",
    ),
)
HISTOGRAMS: Final[tuple[Histogram, ...]] = (
    Histogram(
        "newswatch_delivery_latency_seconds",
        "From reading a story to its instant mail's acceptance, once per recipient.",
        "deliver",
        "latency",
    ),
)
SERIES: Final[tuple[Series, ...]] = (*GAUGES, *COUNTERS, *JOB_COUNTERS, *HISTOGRAMS)
NOT_EXPORTED: Final[Mapping[tuple[str, str], str]] = {
    ("pull", "waiting"): "a state, not a count: newswatch_elasticsearch_status tells of it",
    ("match", "out_of_reach"): "a state, not a count: newswatch_elasticsearch_status tells of it",
    ("upkeep", "learned"): "of each month once",
    ("backup", "lacking"): "a state, not a count: `newswatch backup list` has it",
    ("deliver", "out_of_reach"): "a state, not a count: newswatch_elasticsearch_status tells of it",
    ("health", "feeds"): "a state, not a count: newswatch_feeds has it",
    ("health", "ill"): "a state, not a count: newswatch_feeds has it by state",
    ("check", "feeds"): "a state, not a count: newswatch_feeds has it",
    ("check", "useless"): "a finding about one moment, which can't be added up over runs",
    ("check", "replaceable"): "the same; newswatch_condition tells of it",
    ("check", "offline"): "a state, not a count: newswatch_condition has it",
    ("announce", "mails"): "a state, not a count: newswatch_mails_waiting has it",
    ("announce", "feeds"): "what the operator's own hub was told, which counts it",
    ("push", "items"): "newswatch_pushed_articles_total has them by outcome",
    ("bounces", "left"): "a state, not a count: the next run reads them",
    ("upkeep", "audit"): "a state, not a count: `newswatch audit check` has it",
    ("upkeep", "replicated"): "of a change of settings, which the operator makes",
    ("clean", "database_bytes_freed"): "of one file that is shrunk at most once a night",
    **{
        ("import", name): "of one run by hand, which says it"
        for name in (
            "resumed",
            "records",
            "new",
            "merged",
            "known",
            "without",
            "faults",
            "joined",
            "was_done",
            "first_faults",
        )
    },
    ("backup", "seconds"): "newswatch_job_seconds_total has it",
    ("backup", "indices"): "a state, not a count: `newswatch backup list` has it",
    **{
        ("replay", name): "of one run by hand, which says it"
        for name in (
            "documents",
            "pages",
            "damaged",
            "changed",
            "overtaken",
            "without_page",
            "failed",
            "unread",
            "fields",
        )
    },
    ("encode", "lacking"): "a state, not a count: `newswatch encode --dry-run` has it",
    ("encode", "left"): "a state, not a count: `newswatch encode --dry-run` has it",
    ("retag", "gained"): "how many different tags were gained, which can't be added up over runs",
    ("retag", "lost"): "how many different tags were lost, which can't be added up over runs",
    ("retag", "examples"): "examples for a person",
}
"""Numbers of the jobs' reports without a series → why."""
