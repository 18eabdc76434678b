"""What every stage shares: the types that pass from one to the next, the settings, the errors.

    Feed + FeedState ─fetch→ Fetched | NotModified | FetchFailed      newswatch.feed, ingest.fetched
    Fetched ─parse→ ParsedFeed(Entry…)                                ingest.parsed, newswatch.entry
    Entry ─page, extract→ Extracted ─assemble→ Article                ingest.extracted, newswatch.article
    Article ─clean, tag, fingerprint→ Article
    Article ─index→ a document stamped with its Batch                 newswatch.batch
    Batch ─match→ Match ─owe→ Delivery                                newswatch.alert, newswatch.delivery

One frozen dataclass for each boundary. A type that one stage alone uses lives in that stage. All times are aware and in
UTC. A field that holds text holds plain text, never HTML, unless its name says otherwise.
"""

__version__ = "0.1.0"
