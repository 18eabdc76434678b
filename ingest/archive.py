"""The archive: what feeds and pages were read from, byte for byte, as WARC files (ISO 28500), one folder a day.

    2026-03-04/050607-host-1234-ab12.warc.gz.open    what a batch is writing
    2026-03-04/050607-host-1234-ab12.warc.gz         what a batch wrote
    2026-03-04/day.warc.gz                           the files of a day that is over, joined

Each record is a gzip member of its own, written at once. A process that dies leaves its file `.open`, whose records are
read all the same. A body is kept as it was read, after HTTP's compression; the header of that is kept as
`x-archive-orig-content-encoding`. Every body is checked against its SHA-256 when it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import IO, Any, Final
from urllib.parse import quote, unquote

from warcio.archiveiterator import ArchiveIterator
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from ingest.http.fetched import Fetched
from newswatch import private

OPEN: Final = ".open"
JOINED: Final = "day.warc.gz"
REQUESTED, FEED = "X-Newswatch-Requested", "X-Newswatch-Feed"
"""Fields of a record: the address that was asked for, if another answered, and the feed whose document it is."""
LEAVE_BYTES: Final = 1_000_000_000
"""Free bytes of the disk that are left to others: below it nothing is archived."""
DEAD_AFTER: Final = timedelta(hours=2)
"""Age from which a file that is still open belongs to a process that has died; a batch lasts fifteen minutes."""
_UNPACKED: Final = ("content-encoding", "content-length", "transfer-encoding")
"""Header fields that the kept body no longer has, since it is kept unpacked."""
_ORIGINALLY: Final = "x-archive-orig-"
_ASCII: Final = "".join(map(chr, range(32, 127)))
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


class ArchiveFullError(OSError):
    """There is no room for the archive; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of the archive."""

    answer: Fetched
    feed_id: str | None
    """The feed whose document it is; None: it is a page."""
    path: Path
    offset: int
    """Where it begins in its file, for `read_at`."""


@dataclass(frozen=True, slots=True)
class Day:
    """What the archive holds of a day."""

    day: date
    files: int
    bytes: int
    """Compressed, as on the disk."""


class Archive:
    """Writes what one batch reads. It may be used by several threads."""

    def __init__(self, folder: Path, *, now: datetime) -> None:
        """`now` names the file and its day. Nothing is created before something is kept."""
        self._folder, self._now = folder, now
        self._file: IO[bytes] | None = None
        self._path = folder
        self._lock = Lock()

    def keep(self, answer: Fetched, *, feed_id: str | None = None) -> None:
        """Write the answer, with the id of the feed whose document it is.

        Raises:
            OSError: it can't be written; what was written before stays readable.
        """
        record = _written(answer, feed_id)
        with self._lock:
            file = self._opened()
            before = file.tell()
            try:
                file.write(record)
                file.flush()
            except OSError:  # half a record would hide those after it
                with suppress(OSError):
                    file.seek(before)
                    file.truncate()
                raise

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            day = self._folder / f"{self._now:%Y-%m-%d}"
            private.make_folder(day)
            if shutil.disk_usage(day).free < LEAVE_BYTES:
                raise ArchiveFullError(
                    f"less than {LEAVE_BYTES // 1_000_000:,} MB are free on the disk of {self._folder}: free some, or "
                    "lower NEWSWATCH_ARCHIVE_MAX_BYTES"
                )
            name = f"{self._now:%H%M%S}-{socket.gethostname()}-{os.getpid()}-{token_hex(2)}.warc.gz"
            self._path = day / name
            self._file = private.open_file(day / (name + OPEN), "xb")
        return self._file

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: the disk did not take it.
        """
        with self._lock:
            if self._file is None:
                return
            file, self._file = self._file, None
            with file:
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).rename(self._path)


def _written(answer: Fetched, feed_id: str | None) -> bytes:
    """The record of an answer, as a gzip member."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True, warc_version="1.1")
    fields = {
        "WARC-Date": answer.fetched_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "WARC-Payload-Digest": f"sha256:{answer.body_hash}",
    }
    if answer.url != answer.final_url:
        fields[REQUESTED] = _ascii(answer.url)
    if feed_id is not None:
        fields[FEED] = _ascii(feed_id)
    url, payload = _ascii(answer.final_url), io.BytesIO(answer.body)
    options: dict[str, Any] = {"payload": payload, "length": len(answer.body), "warc_headers_dict": fields}
    if answer.joined:  # no server has sent it in one piece
        options["warc_content_type"] = answer.headers.get("content-type", "application/octet-stream")
        record = writer.create_warc_record(url, "resource", **options)
    else:
        headers = [
            (f"{_ORIGINALLY}{name}" if name in _UNPACKED else name, _ascii(value))
            for name, value in answer.headers.items()
        ]
        headers.append(("content-length", str(len(answer.body))))
        options["http_headers"] = StatusAndHeaders(f"{answer.status} Archived", headers, protocol="HTTP/1.1")
        record = writer.create_warc_record(url, "response", **options)
    writer.write_record(record)
    return buffer.getvalue()


def _ascii(text: str) -> str:
    """The text with other letters percent-encoded: fields of a record are ASCII."""
    return quote(text, safe=_ASCII)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def days(folder: Path) -> list[Day]:
    """The days of the archive, oldest first."""
    found = []
    for day in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _DAY.fullmatch(day.name) and day.is_dir():
            sizes = [path.stat().st_size for path in _files(day)]
            found.append(Day(date.fromisoformat(day.name), len(sizes), sum(sizes)))
    return found


def _files(day: Path) -> list[Path]:
    return sorted(path for path in day.glob("*.warc.gz*") if path.name.endswith((".warc.gz", f".warc.gz{OPEN}")))


def kept(folder: Path, day: date) -> Iterator[Kept | OSError]:
    """The records of a day in the order of their files; an error for each record, or end of a file, that is damaged."""
    for path in _files(folder / day.isoformat()):
        yield from _kept_in(path)


def _kept_in(path: Path) -> Iterator[Kept | OSError]:
    try:
        with path.open("rb") as file:
            records = ArchiveIterator(file)
            for record in records:
                body = record.raw_stream.read()
                if record.rec_type in ("response", "resource"):
                    yield _read(record, body, path, records.get_record_offset())  # known once the body is read
    except FileNotFoundError:
        return  # the day was joined, or deleted, meanwhile
    except Exception as error:  # whatever half a record provokes in the library
        yield OSError(f"{path}: it breaks off: {error}")


def read_at(path: Path, offset: int) -> Kept:
    """The record that begins there.

    Raises:
        OSError: it can't be read, or its bytes are not those that were written.
    """
    with path.open("rb") as file:
        file.seek(offset)
        try:
            record = next(iter(ArchiveIterator(file)))
        except Exception as error:
            raise OSError(f"{path}: there is no record at {offset}: {error}") from error
        found = _read(record, record.raw_stream.read(), path, offset)
    if isinstance(found, OSError):
        raise found
    return found


def _read(record: ArcWarcRecord, body: bytes, path: Path, offset: int) -> Kept | OSError:
    """A record with its body, which must be the one that was written."""
    fields, http = record.rec_headers, record.http_headers
    stated = str(fields.get_header("WARC-Payload-Digest") or "").removeprefix("sha256:")
    digest = hashlib.sha256(body).hexdigest()
    if digest != stated:
        return OSError(f"{path}: the record at {offset} is damaged")
    final_url = str(fields.get_header("WARC-Target-URI"))
    headers = {"content-type": str(fields.get_header("Content-Type"))}
    if http is not None:
        given = {name.lower(): value for name, value in http.headers}
        headers = {name.removeprefix(_ORIGINALLY): value for name, value in given.items() if name not in _UNPACKED}
    answer = Fetched(
        str(fields.get_header(REQUESTED) or final_url),
        final_url,
        int(http.get_statuscode()) if http is not None else 200,
        headers,
        body,
        digest,
        datetime.fromisoformat(str(fields.get_header("WARC-Date"))),
        0.0,
        joined=http is None,
    )
    feed_id = fields.get_header(FEED)
    return Kept(answer, None if feed_id is None else unquote(feed_id), path, offset)


# ── keeping it small ─────────────────────────────────────────────────────────────────────────────────────────────────


def join_past(folder: Path, *, now: datetime) -> None:
    """Join the files of each day that is over, which copies all that was archived on it.

    Only one process does it at a time; another returns at once. Not joined, a day is read and deleted all the same.

    Raises:
        OSError: a file can't be written or deleted.
    """
    if not folder.is_dir() or (lock := private.lock(folder / ".lock")) is None:
        return
    with lock:
        for each in days(folder):
            if each.day < now.date():
                _join(folder / each.day.isoformat(), now)


def tidy(folder: Path, *, keep_days: int | None, max_bytes: int, now: datetime) -> int:
    """Delete days that are too old or too much; the bytes deleted. Without `keep_days` none is too old.

    Only one process does it at a time; another returns at once.

    Raises:
        OSError: a file can't be deleted.
    """
    if not folder.is_dir() or (lock := private.lock(folder / ".lock")) is None:
        return 0
    with lock:
        deleted = 0
        for each in surplus(days(folder), keep_days=keep_days, max_bytes=max_bytes, now=now):
            shutil.rmtree(folder / each.day.isoformat())
            deleted += each.bytes
        return deleted


def surplus(of: Iterable[Day], *, keep_days: int | None, max_bytes: int, now: datetime) -> list[Day]:
    """The days to delete: those older than `keep_days`, and the oldest of the rest while they are too much. Pure.

    Today is kept, however much it holds: batches are writing into it.
    """
    room, surplus = max_bytes, []
    for each in sorted(of, key=lambda each: each.day, reverse=True):
        room -= each.bytes
        is_old = keep_days is not None and now.date() - each.day > timedelta(keep_days)
        if each.day < now.date() and (is_old or room < 0):
            surplus.append(each)
    return surplus


def _sound_end(path: Path) -> int:
    """Where the last complete record of a file ends: what follows would hide the records of the next file."""
    end = 0
    with path.open("rb") as file, suppress(Exception):  # whatever half a record provokes in the library
        records = ArchiveIterator(file)
        for record in records:
            found = _read(record, record.raw_stream.read(), path, 0)
            length = int(records.get_record_length())
            end = end if isinstance(found, OSError) else records.get_record_offset() + length
    return end


def _join(day: Path, now: datetime) -> None:
    """Make the finished files of a day one. Killed at any point, it has at most left a record in two files."""
    for path in day.glob(f"*{OPEN}"):
        if now - datetime.fromtimestamp(path.stat().st_mtime, UTC) > DEAD_AFTER:
            os.truncate(path, _sound_end(path))
            path.rename(path.with_name(path.name.removesuffix(OPEN)))
    parts = [path for path in sorted(day.glob("*.warc.gz")) if path.name != JOINED]
    if not parts:
        return
    joined = day / JOINED
    with private.open_file(day / f"{JOINED}.part", "wb") as whole:
        for path in ([joined] if joined.exists() else []) + parts:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
        whole.flush()
        os.fsync(whole.fileno())
    Path(whole.name).rename(joined)
    for path in parts:
        path.unlink()
