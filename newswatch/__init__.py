"""What every stage shares: the types at the boundaries between stages, the settings, the errors.

    Feed + FeedState ─fetch→ Fetched | NotModified | FetchFailed      newswatch.feed, ingest.http.fetched
    Fetched ─parse→ ParsedFeed(Entry…)                                ingest.parsed, newswatch.entry
    Entry ─page, extract→ Extracted ─assemble→ Article                ingest.pages.extracted, newswatch.article
    Article ─clean, tag, fingerprint→ Article
    Article ─index→ a document stamped with its Batch                 newswatch.batch
        Batch ─match→ Match ─enqueue→ Delivery                            newswatch.alert, newswatch.delivery

There is one frozen dataclass for each boundary. A type that only one stage uses lives in that stage. All times are
aware and in UTC. A field that holds text holds plain text, never HTML, unless its name says otherwise.
"""

__version__ = "0.1.0"
