"""The archive gives back what was put in, byte for byte, whatever dies meanwhile."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest import archive
from ingest.archive import OPEN, Archive, ArchiveFullError, Day, Kept, days, join_past, kept, read_at, surplus, tidy
from ingest.http.fetched import Fetched
from tests.factories import NOW

TODAY, TOMORROW = NOW.date(), NOW + timedelta(days=1)


def an_answer(body: bytes, url: str = "https://a.example/1", **changes: object) -> Fetched:
    headers = {"content-type": "text/html; charset=iso-8859-9", "x-name": "a=b; 100 %, ü"}
    answer = Fetched(url, url, 200, headers, body, hashlib.sha256(body).hexdigest(), NOW, 0.0)
    return replace(answer, **changes)  # type: ignore[arg-type]


def sound(folder: Path, day: date = TODAY) -> list[Kept]:
    return [record for record in kept(folder, day) if isinstance(record, Kept)]


def write(folder: Path, *answers: Fetched) -> None:
    writing = Archive(folder, now=NOW)
    for answer in answers:
        writing.keep(answer)
    writing.close()


def test_a_thousand_pages_come_back_byte_for_byte(tmp_path: Path) -> None:
    rnd = random.Random(1)
    odd = (b"", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nx", b"WARC/1.1\r\n\r\n", gzip.compress(b"zipped"), b"\0" * 5_000)
    bodies = [*odd, *(rnd.randbytes(rnd.randrange(6_000)) for _ in range(994))]
    write(tmp_path, *(an_answer(body, f"https://a.example/{n}") for n, body in enumerate(bodies)))
    records = sound(tmp_path)
    assert [record.answer.body for record in records] == bodies
    assert all(hashlib.sha256(r.answer.body).hexdigest() == r.answer.body_hash for r in records)
    for record in rnd.sample(records, 20):
        assert read_at(record.path, record.offset) == record


def test_all_that_reading_it_again_needs_is_kept(tmp_path: Path) -> None:
    packed = {"content-type": "text/html", "content-encoding": "br", "content-length": "7"}
    asked = an_answer(b"moved", "https://a.example/old?q=ü", final_url="https://b.example/new")
    listed = an_answer(b"<urlset/>", joined=True, headers={"content-type": "application/xml"})
    writing = Archive(tmp_path, now=NOW)
    writing.keep(asked)
    writing.keep(an_answer(b"packed", headers=packed))
    writing.keep(listed, feed_id="ö/feed")
    writing.close()
    first, second, third = sound(tmp_path)
    assert (first.answer.url, first.answer.final_url) == ("https://a.example/old?q=%C3%BC", asked.final_url)
    expected = {"content-type": "text/html; charset=iso-8859-9", "x-name": "a=b; 100 %, %C3%BC"}
    assert first.answer.headers == expected
    assert (first.answer.fetched_at, first.answer.status, first.feed_id) == (NOW, 200, None)
    assert second.answer.headers == packed
    assert (third.answer.body, third.answer.joined, third.feed_id) == (b"<urlset/>", True, "ö/feed")
    assert third.answer.headers["content-type"] == "application/xml"


def test_what_a_dead_process_wrote_is_read_and_its_half_record_hides_nothing(tmp_path: Path) -> None:
    dead = Archive(tmp_path, now=NOW)
    dead.keep(an_answer(b"whole"))
    (left,) = (tmp_path / f"{TODAY}").iterdir()
    assert left.name.endswith(OPEN)
    half = archive._written(an_answer(random.Random(1).randbytes(9_000)), None)
    with left.open("ab") as file:
        file.write(half[: len(half) // 2])
    write(tmp_path, an_answer(b"another", "https://a.example/2"))
    records = [*kept(tmp_path, TODAY)]
    assert sorted(r.answer.body for r in records if isinstance(r, Kept)) == [b"another", b"whole"]
    assert [type(r) for r in records if not isinstance(r, Kept)] == [OSError], "the half one is counted"
    later = TOMORROW + timedelta(hours=3)
    join_past(tmp_path, now=later)
    held = {path.name for path in (tmp_path / f"{TODAY}").iterdir()}
    assert held == {"day.warc.gz", left.name}, "it may still be written"
    os.utime(left, (NOW.timestamp(), NOW.timestamp()))
    join_past(tmp_path, now=later)
    assert [path.name for path in (tmp_path / f"{TODAY}").iterdir()] == ["day.warc.gz"]
    records = [*kept(tmp_path, TODAY)]
    assert sorted(r.answer.body for r in records if isinstance(r, Kept)) == [b"another", b"whole"]
    assert len(records) == 2, "the half one is cut off"


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, an_answer(b"the truth"))
    (path,) = (tmp_path / f"{TODAY}").iterdir()
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"the truth", b"the trust")))
    assert sound(tmp_path) == []
    (wrong,) = kept(tmp_path, TODAY)
    assert "is damaged" in str(wrong)
    with pytest.raises(OSError, match="is damaged"):
        read_at(path, 0)
    # What stands amid a record may look like the beginning of one, as its bytes depend on the time and on chance.
    with pytest.raises(OSError, match=r"there is no record at 7|the record at 7 is damaged"):
        read_at(path, 7)


def test_days_are_joined_and_forgotten(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path, an_answer(b"x" * n, f"https://a.example/{n}"))
    (held,) = days(tmp_path)
    assert (held.day, held.files) == (TODAY, 3)
    join_past(tmp_path, now=NOW)
    assert days(tmp_path)[0].files == 3, "today is left alone"
    assert tidy(tmp_path, keep_days=30, max_bytes=10**9, now=TOMORROW) == 0
    assert days(tmp_path)[0].files == 3, "who polls joins nothing"
    join_past(tmp_path, now=TOMORROW)
    (joined,) = days(tmp_path)
    assert (joined.files, joined.bytes, len(sound(tmp_path))) == (1, held.bytes, 3)
    assert tidy(tmp_path, keep_days=30, max_bytes=10**9, now=NOW + timedelta(days=31)) == held.bytes
    assert days(tmp_path) == []


def test_the_oldest_days_go_first_and_today_never() -> None:
    of = [Day(TODAY - timedelta(days=n), 1, 10) for n in range(5)]
    assert surplus(of, keep_days=30, max_bytes=30, now=NOW) == [of[3], of[4]]
    assert surplus(of, keep_days=2, max_bytes=1_000, now=NOW) == [of[3], of[4]]
    assert surplus(of, keep_days=30, max_bytes=1, now=NOW) == of[1:]


def test_a_disk_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(999_999_999))
    with pytest.raises(ArchiveFullError, match="lower NEWSWATCH_ARCHIVE_MAX_BYTES"):
        write(tmp_path, an_answer(b"x"))


def test_nothing_is_made_before_something_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "archive")
    assert not (tmp_path / "archive").exists()
    assert days(tmp_path / "archive") == []
    assert tidy(tmp_path / "archive", keep_days=1, max_bytes=1, now=NOW) == 0
