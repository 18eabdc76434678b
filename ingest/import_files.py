"""Files to import, read from any point on: JSON lines (plain or .gz) and WARC.

Every record has a place in its file, from which reading goes on after a kill. A record that can't be used is an error
with its line or offset; the rest of the file is read all the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import ChunkedDataReader
from warcio.recordloader import ArcWarcRecord

from ingest.addresses import domain_of, is_address
from ingest.archive import FEED
from ingest.assemble import assemble
from ingest.given import IMPORTED, GivenError, imported, once
from ingest.pages.extract import MAX_BYTES, extract, extractor_version
from ingest.unpack import NotUnpackedError, Unpacking
from newswatch.article import Article
from newswatch.entry import Entry
from newswatch.feed import Feed
from newswatch.problems import reason_of

LINE_BYTES: Final = 10_000_000
"""A longer line is no article."""
_LOOK: Final = 1 << 20
_MEMBER: Final = b"\x1f\x8b\x08"
_MEMBERS: Final = re.compile(re.escape(_MEMBER))
_PLAIN: Final = re.compile(rb"\r\n\r\n(?=WARC/1\.)")
_OVERLAP: Final = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a source."""

    place: int
    """Where reading goes on after it: a byte of the (unpacked) file, or an ingest number."""
    name: str
    """What a fault names: "line 12", "the record at 3456"."""
    number: int
    """Records up to here, from 1."""
    article: Article | None = None
    url: str = ""
    """The article's address as the source wrote it."""
    fault: str = ""
    """Why there is no article. Both empty: the record holds none, such as a WARC's request."""


def hash_of(path: Path) -> str:
    """The SHA-256 of the file: a cursor is of one content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_warc(path: Path) -> bool:
    """Whether the file's name says so."""
    return path.name.endswith((".warc", ".warc.gz"))


def is_lines(path: Path) -> bool:
    """Whether the file's name says that it holds JSON lines."""
    return path.name.endswith((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"))


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(path: Path, place: int, number: int, now: datetime) -> Iterator[Item]:
    """The articles of a file of JSON lines, from the byte `place` on, before which there are `number` lines.

    Raises:
        OSError: the file can't be read.
    """
    with _opened(path) as file:
        file.seek(place)
        while line := _next_line(file):
            number += 1
            if isinstance(line, str):
                yield Item(place, f"line {number:,}", number, fault=line)
                return
            if len(line) > LINE_BYTES and not line.endswith(b"\n"):
                _skip_line(file)
                yield Item(file.tell(), f"line {number:,}", number, fault=f"it has more than {LINE_BYTES:,} bytes")
            else:
                yield _of_line(line, file.tell(), number, now)
            place = file.tell()


def _next_line(file: IO[bytes] | gzip.GzipFile) -> bytes | str:
    """The next line, as far as it is not too long; empty at the end. A text: why a .gz ends here."""
    try:
        return file.readline(LINE_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"the file breaks off before it: {error}"


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rb")
    return path.open("rb")


def _skip_line(file: IO[bytes] | gzip.GzipFile) -> None:
    while (rest := file.readline(_LOOK)) and not rest.endswith(b"\n"):
        pass


def _of_line(line: bytes, place: int, number: int, now: datetime) -> Item:
    name = f"line {number:,}"
    if not line.strip():
        return Item(place, name, number)
    try:
        data = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"), object_pairs_hook=once)
        article = imported(data, now=now)
        return Item(place, name, number, article, data["url"])
    except UnicodeDecodeError as error:
        return Item(place, name, number, fault=f"it is not UTF-8 from its byte {error.start + 1:,} on")
    except json.JSONDecodeError as error:
        return Item(place, name, number, fault=f"it is no JSON: {error.msg} at character {error.colno:,}")
    except GivenError as error:
        return Item(place, name, number, fault=str(error))
    except Exception as error:  # too deep, a number of a million digits, a fault of ours: it costs this line
        return Item(place, name, number, fault=reason_of(error))


# ── WARC ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pages(path: Path, place: int, number: int, now: datetime) -> Iterator[Item]:
    """The articles of the pages in a WARC file, from the record at `place` on; of our own archive, no feeds.

    After a damaged record it goes on with the next one that can be found.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        at: int | None = place
        while at is not None:
            file.seek(at)
            records = ArchiveIterator(file, check_digests=True)
            try:
                for record in records:
                    number += 1
                    item = _of_record(record, at, number, now)
                    records.read_to_end()
                    at = records.offset
                    yield replace(_judged(record, item), place=at)
                return
            except Exception as error:  # whatever half a record provokes in the library
                number += 1
                name, why = f"the record at {at:,}", reason_of(error)
                at = _next_start(file, at + 1)
                end = path.stat().st_size if at is None else at
                yield Item(end, name, number, fault=f"it is damaged: {why}")


def _of_record(record: ArcWarcRecord, offset: int, number: int, now: datetime) -> Item:
    name, fields, http = f"the record at {offset:,}", record.rec_headers, record.http_headers
    is_page = record.rec_type in ("response", "resource") and not fields.get_header(FEED)
    if not is_page:
        return Item(0, name, number)
    url = str(fields.get_header("WARC-Target-URI") or "").strip("<> ")
    kind = str((http or fields).get_header("Content-Type") or "")
    status = http.get_statuscode() if http is not None else "200"
    if status != "200" or "html" not in kind.lower() or not is_address(url):
        return Item(0, name, number)  # robots.txt, pictures, errors: a crawl is full of them
    try:
        body = _content(record)
        return Item(0, name, number, _of_page(body, url, kind, min(_read_at(record), now)), url)
    except (GivenError, NotUnpackedError) as error:
        return Item(0, name, number, fault=f"{url}: {error}")
    except Exception as error:  # a fault of ours costs this page
        return Item(0, name, number, fault=f"{url}: {reason_of(error)}")


def _read_at(record: ArcWarcRecord) -> datetime:
    stated = str(record.rec_headers.get_header("WARC-Date"))
    try:
        return datetime.fromisoformat(stated).astimezone(UTC)
    except ValueError as error:
        raise GivenError(f"its WARC-Date {stated[:60]!r} is no time") from error


def _content(record: ArcWarcRecord) -> bytes:
    """The record's page, unpacked as a fetched one is: warcio's own decoder fails on Brotli."""
    http, stream = record.http_headers, record.raw_stream
    if http is None:
        return bytes(stream.read(MAX_BYTES + 1))
    if (http.get_header("Transfer-Encoding") or "").strip().lower() == "chunked":
        stream = ChunkedDataReader(stream)
    unpacking = Unpacking(http.get_header("Content-Encoding"))
    return unpacking.feed(stream.read(MAX_BYTES + 1), MAX_BYTES) + unpacking.end()


def _judged(record: ArcWarcRecord, item: Item) -> Item:
    """The item, unless its bytes are not those that were archived, which is known once they are all read."""
    checker, missing = record.digest_checker, getattr(record.raw_stream, "limit", 0)
    if item.article is not None and missing > 0:
        return replace(item, article=None, fault=f"it breaks off: {missing:,} bytes are missing")
    if item.article is not None and (why := record.rec_headers.get_header("WARC-Truncated")):
        return replace(item, article=None, fault=f"it breaks off: its crawler has cut it ({why[:60]})")
    if item.article is None or checker is None or checker.passed is not False:
        return item
    return replace(item, article=None, fault="its bytes are not those that were archived")


def _of_page(body: bytes, url: str, content_type: str, read_at: datetime) -> Article:
    page = extract(body, url=url, content_type=content_type, now=read_at)
    if page.status != "full" or not page.title:
        raise GivenError(f"it is no article: {'; '.join(page.problems) or page.status}")
    if page.published is None:
        raise GivenError("it is taken for no article, as it has no date: front pages and sections have none")
    host = domain_of(url)
    feed = Feed(IMPORTED, url, host, full_text="page")
    article = assemble(
        Entry(url, url, "", "", ""),
        page,
        feed,
        now=read_at,
        extractor=f"{IMPORTED} {extractor_version()}",
        final_url=url,
    )
    provenance = replace(article.provenance, body_hash=hashlib.sha256(body).hexdigest())
    return replace(article, provenance=provenance)


def _next_start(file: IO[bytes], after: int) -> int | None:
    """Where the next record begins, at `after` or later; None: there is none."""
    file.seek(after)
    at, kept = after, b""
    while block := file.read(_LOOK):
        found = kept + block
        for start in _starts(found):
            if found[start : start + 3] != _MEMBER or _is_record(file, at - len(kept) + start):
                return at - len(kept) + start
        at, kept = at + len(block), found[-_OVERLAP:]
        file.seek(at)
    return None


def _starts(block: bytes) -> list[int]:
    """Where in the block a record may begin: at a gzip member, or after an empty line."""
    return sorted([*(m.start() for m in _MEMBERS.finditer(block)), *(m.end() for m in _PLAIN.finditer(block))])


def _is_record(file: IO[bytes], at: int) -> bool:
    file.seek(at)
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(file.read(4_096), 5) == b"WARC/"
    except zlib.error:
        return False
