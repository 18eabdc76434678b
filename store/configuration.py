"""Keeps the configuration files: which version of each is in force, and what is wrong with which machine's file.

Several machines may have different files. One version is in force, and `judge` decides which. Its text is kept, so that
a file that is wrong, or missing, does not stop the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, NotFoundError

from newswatch.clock import SKEW
from newswatch.config import Written
from newswatch.texts import cut_short
from store.elastic.compare_and_set import put, until_written
from store.elastic.documents import Stored, dump, load, require_id, values
from store.elastic.faults import store_error
from store.elastic.reading import get_hits, get_one
from store.names import Names

FEEDS: Final = "feeds.yaml"
ALERTS: Final = "alerts.yaml"
TAXONOMY: Final = "taxonomy.yaml"
FILES: Final = (FEEDS, ALERTS, TAXONOMY)
"""The files of which a version is in force."""
SETTINGS: Final = "settings"
"""The name under which faults of the settings are kept, beside the files'."""

CONFIRMED_AFTER: Final = timedelta(seconds=50)
"""Age at which a fault that persists is noted again."""
FORGOTTEN_AFTER: Final = timedelta(minutes=15)
"""Age at which a machine's fault is dropped by another machine: it is gone, as containers are that were replaced."""
FORGOTTEN_HERE_AFTER: Final = timedelta(minutes=4)
"""Age at which it is dropped by another process of the same machine, which has another folder or environment."""
SUPERSEDED_KEPT: Final = 500
"""Former versions that are known to be former ones."""
TEXTS_KEPT: Final = 10
"""Former versions whose text is kept too."""
_WHY_CHARS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why one machine's file is not the version in force."""

    host: str
    path: str
    why: str
    since: datetime
    seen_at: datetime
    """When that machine last found it so."""
    hash: str = ""
    """Of the file; empty if it can't be read."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of one configuration file on all machines."""

    name: str
    hash: str = ""
    """Of the version in force; empty: none is."""
    changed_at: datetime | None = None
    """When the version in force was last changed, as its file says; never later than when it was read."""
    since: datetime | None = None
    """Since when it is in force."""
    host: str = ""
    path: str = ""
    """The machine and the file that it came from."""
    superseded: tuple[str, ...] = ()
    """Hashes of the versions that were in force before, the latest last."""
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """A configuration file, as the operator is told of it."""

    name: str
    wrong_since: datetime | None = None
    """None: every machine's file is the version in force."""
    why: str = ""


class Verdict(StrEnum):
    """What a good file is beside the version in force."""

    SAME = "same"
    REPLACES = "replaces"
    OLDER = "older"


def judge(kept: Kept, file: Written, now: datetime) -> Verdict:
    """Whether a good file replaces the version in force. Pure.

    A version that was never in force replaces it unless its file is older; equal times don't count as older, because
    packages and images give all files one time. A former version must be newer, so that a machine that was not updated
    does not bring it back. A time in the future counts as now.
    """
    if file.hash == kept.hash:
        return Verdict.SAME
    if not kept.hash or kept.changed_at is None or kept.changed_at > now + SKEW:  # edited by hand
        return Verdict.REPLACES
    changed_at = min(file.changed_at, now)
    if file.hash in kept.superseded:
        return Verdict.REPLACES if changed_at > kept.changed_at else Verdict.OLDER
    return Verdict.REPLACES if changed_at >= kept.changed_at else Verdict.OLDER


@dataclass(frozen=True, slots=True)
class Look:
    """What one machine finds when it reads its file."""

    host: str
    path: str
    file: Written | None
    """None: it can't be read."""
    why: str = ""
    """Why it can't be used, or what in it can't be; empty: it is good."""
    is_usable: bool = True
    """Whether it can be used, at least in part."""


def observed(kept: Kept, look: Look, now: datetime) -> Kept:
    """What is known of a file after a machine has looked at its own: the version in force, what is wrong there. Pure.

    Unchanged if there is nothing new.
    """
    file, why = look.file, look.why
    if file is not None and look.is_usable:
        verdict = judge(kept, file, now)
        if verdict is Verdict.REPLACES:
            kept = put_in_force(kept, file, look.host, now)
        elif verdict is Verdict.SAME:
            kept = _touched(kept, file, now)
        else:
            why = older(kept, file)
    elif kept.hash and kept.since:
        why = f"{why}. The version in force since {_told(kept.since)} is used instead"
    file_hash = file.hash if file else ""
    return _with_fault(kept, look, why, file_hash, now) if why else _without_fault(kept, look, now)


def put_in_force(kept: Kept, file: Written, host: str, now: datetime) -> Kept:
    """The same, with the file's version in force from now on. Pure."""
    former = [known for known in kept.superseded if known not in (kept.hash, file.hash)]
    superseded = (*former, *([kept.hash] if kept.hash and kept.hash != file.hash else []))[-SUPERSEDED_KEPT:]
    return replace(
        kept,
        hash=file.hash,
        changed_at=min(file.changed_at, now),
        since=now,
        host=host,
        path=str(file.path),
        superseded=superseded,
    )


def older(kept: Kept, file: Written) -> str:
    """Why a good file is not used: a newer version is in force. Pure."""
    assert kept.changed_at, "nothing is in force that could be newer"
    assert kept.since
    return (
        f"{file.path}: was last changed on {_told(file.changed_at)}; a version of {_told(kept.changed_at)} "
        f"({kept.path} on {kept.host}) is in force since {_told(kept.since)} and is used instead. Update this file, or "
        f"put it in force with `newswatch config use {file.path}`"
    )


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _touched(kept: Kept, file: Written, now: datetime) -> Kept:
    """The same, with the time of a file that has the version in force, if it is later.

    Otherwise a former version that is touched on another machine, before this one, would count as newer. A time in the
    future says nothing.
    """
    is_later = file.changed_at <= now and (kept.changed_at is None or file.changed_at > kept.changed_at)
    return replace(kept, changed_at=file.changed_at) if is_later else kept


def _with_fault(kept: Kept, look: Look, why: str, file_hash: str, now: datetime) -> Kept:
    mine, others = _mine(kept, look.host, look.path)
    why = cut_short(why, _WHY_CHARS)
    is_known = mine is not None and (mine.why, mine.hash) == (why, file_hash)
    if is_known and mine is not None and now - mine.seen_at < CONFIRMED_AFTER:
        return kept
    noted = Wrong(look.host, look.path, why, mine.since if mine else now, now, file_hash)
    return replace(kept, wrong=(*others, noted))


def _without_fault(kept: Kept, look: Look, now: datetime) -> Kept:
    """The same, with that machine's file well, and without faults that have not been confirmed for long."""
    _, others = _mine(kept, look.host, look.path)
    patience = {look.host: FORGOTTEN_HERE_AFTER}
    recent = (wrong for wrong in others if now - wrong.seen_at < patience.get(wrong.host, FORGOTTEN_AFTER))
    return replace(kept, wrong=tuple(recent))


def fault_of(kept: Kept, host: str, path: Path | str) -> Wrong | None:
    """What is wrong with that machine's file, as it was last noted. Pure."""
    return _mine(kept, host, path)[0]


def _mine(kept: Kept, host: str, path: Path | str) -> tuple[Wrong | None, list[Wrong]]:
    mine = [wrong for wrong in kept.wrong if (wrong.host, wrong.path) == (host, str(path))]
    others = [wrong for wrong in kept.wrong if (wrong.host, wrong.path) != (host, str(path))]
    return (mine[-1] if mine else None), others


def state_of(kept: Kept) -> State:
    """What the operator is told of the file: since when it is wrong, and why on each machine. Pure."""
    if not kept.wrong:
        return State(kept.name)
    why: dict[str, list[str]] = {}
    for wrong in sorted(kept.wrong, key=lambda wrong: wrong.since):
        why.setdefault(wrong.why, []).append(wrong.host)
    # One machine, or one file that all machines share: the sentence names the file itself.
    told = [text if len(why) == 1 else f"on {', '.join(dict.fromkeys(hosts))}: {text}" for text, hosts in why.items()]
    return State(kept.name, min(wrong.since for wrong in kept.wrong), "; ".join(told))


class ConfigurationStore:
    """The configuration files of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.configuration

    def states(self, *, timeout_s: float | None = None) -> tuple[State, ...]:
        """What is wrong with which file, since when; files that are well have no `wrong_since`. The settings are last.

        Files that no job has looked at yet are missing. Real time.

        Raises:
            elasticsearch's errors: it can't be read within `timeout_s`.
        """
        return tuple(state_of(kept) for kept in self.all(timeout_s=timeout_s))

    def all(self, *, timeout_s: float | None = None) -> tuple[Kept, ...]:
        """Every file that a job has looked at, in the order of `FILES`, and the settings."""
        es = self._es.options(request_timeout=timeout_s) if timeout_s else self._es
        return tuple(values(get_hits(es, self._index, (*FILES, SETTINGS)), read_kept))

    def kept(self, name: str) -> Kept:
        """What is known of a file, in real time.

        Raises:
            DocumentError: its document can't be read.
        """
        was = self._get(name)
        return was.value if was else Kept(name)

    def text(self, kept: Kept) -> Written | None:
        """The version in force; None: there is none, or its text is lost.

        Raises:
            StoreError: the index can't be read.
        """
        if not kept.hash or kept.changed_at is None:
            return None
        try:
            source = self._es.get(index=self._index, id=_text_id(kept.name, kept.hash))["_source"]
        except NotFoundError:
            return None
        except ApiError as error:
            raise store_error(error) from error
        file = Written(Path(kept.path), str(source.get("text", "")), kept.changed_at)
        return file if file.hash == kept.hash else None

    def keep_text(self, name: str, file: Written) -> None:
        """Keep the text of a version. Call it before the version is in force."""
        document = {"name": name, "hash": file.hash, "text": file.text}
        self._es.index(index=self._index, id=_text_id(name, file.hash), document=document)

    def drop_text(self, kept: Kept) -> None:
        """Delete the text of the version that is now too old to be kept."""
        for file_hash in kept.superseded[: -TEXTS_KEPT or None][-1:]:
            self._es.options(ignore_status=404).delete(index=self._index, id=_text_id(kept.name, file_hash))

    def change(self, name: str, changed: Callable[[Kept], Kept]) -> Kept:
        """Replace what is known of a file by what `changed` makes of it, whoever else writes; returns the new value.

        Nothing is written where `changed` changes nothing.

        Raises:
            DocumentError: the document can't be read; it stays as it is.
            StoreError: others keep changing it.
        """

        def attempt() -> Kept | None:
            was = self._get(name)
            before = was.value if was else Kept(name)
            after = changed(before)
            if after == before:
                return before
            put_ = put(self._es, self._index, name, after, dump(after), was, refresh=True)
            return put_.value if put_ else None

        return until_written(attempt, lambda: f"What is known of {name} keeps being changed by others.")

    def _get(self, name: str) -> Stored[Kept] | None:
        return get_one(self._es, self._index, name, read_kept)


def _text_id(name: str, file_hash: str) -> str:
    return f"{name}~{file_hash}"


def read_kept(document_id: str, document: Mapping[str, Any]) -> Kept:
    """What is known of a file, from its document. Pure."""
    kept = load(Kept, document)
    require_id(document_id, kept.name)
    return kept
