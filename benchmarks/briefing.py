"""How long a briefing takes, from what is owed to the accepted mail: `python -m benchmarks.briefing [--stories N]`.

It starts an Elasticsearch and a mail server of its own, publishes so many stories with a second report each (see
`synthetic_articles.py`), matches them with one saved search that has `daily briefing` as its schedule, and delivers at
that hour. Measured is the delivery: reading, composing, the PDF, and the mail server's yes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from alerts.match import match_batch
from alerts.saved import SavedSearches
from benchmarks.synthetic_articles import Synthesizer
from delivery.deliver import deliver
from delivery.outbox import Outbox
from embedded.elasticsearch import start_elasticsearch
from jobs.context import open_context
from newswatch.settings import Settings
from tests.alerts.press import Press, a_search
from tests.delivery.post_office import open_post_office

NOW = datetime(2026, 3, 4, 6, tzinfo=UTC)
SEVEN = NOW.replace(hour=7)


def main() -> None:
    """Run it and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", type=int, default=200)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="newswatch-briefing-") as folder,
        start_elasticsearch(Path(folder), port=0, heap_mb=512) as node,
        open_post_office() as office,
    ):
        settings = Settings(
            elasticsearch_url=node.url,
            secret_key=SecretStr("for this run"),
            data_dir=Path(folder),
            smtp_host="127.0.0.1",
            smtp_port=office.port,
            mail_from="newswatch@newswatch.example",
        )
        context = open_context(settings, clock=lambda: NOW)
        searches = SavedSearches(context.es, context.names)
        schedule = "daily briefing at 07:00 UTC"
        searches.save(a_search("all", "*", schedule=schedule), by="benchmark", now=NOW)
        start = NOW - timedelta(hours=2)
        made = [
            replace(article, story_id=f"story-{number % options.stories}", first_seen=NOW)
            for number, article in enumerate(Synthesizer().articles(2 * options.stories, start, NOW))
        ]
        press, outbox = Press(context.es, context.names), Outbox(context.es, context.names)
        enabled = searches.enabled(now=NOW)
        for first in range(0, len(made), 50):
            batch = press.publish(*made[first : first + 50], now=NOW)
            outbox.enqueue(match_batch(context.es, context.names, batch, enabled).matches, enabled, NOW)
        begin, cpu = time.perf_counter(), time.process_time()
        report = deliver(context.es, context.names, settings, now=SEVEN)
        took, worked = time.perf_counter() - begin, time.process_time() - cpu
        assert report.sent == len(office.messages) == 1, report
        mail = office.messages[0]
        parts = {part.get_content_type(): len(part.get_payload(decode=True) or b"") for part in mail.walk()}
        sizes = ", ".join(f"{kind} {size / 1_000:,.0f} kB" for kind, size in parts.items() if size)
        print(f"{options.stories} stories: {took:.1f} s, {worked:.1f} s of our processor; {sizes}")
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
