"""Which articles the past months have, so that an article is known to be new while a month is out of reach.

A register holds 32 bits of a hash of each id in a slice. An id that is not among them is certainly not in the slice. Of
others nobody knows: of a month of a million articles, one id in 4,000 looks as if it were in it.

`learn` makes the register when the month is two days past, as only imports and pushes of old articles write to it then.
They say so first (`touch`), which takes the register away, and for a day none is made. A register is of one index, by
its UUID: a month that was restored, or upgraded, gets another.
"""

from __future__ import annotations

import logging
import sys
from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import crc32

from elasticsearch import ApiError, Elasticsearch

from newswatch.errors import NewswatchError
from store.elastic import bulk
from store.elastic.compare_and_set import put
from store.elastic.documents import Stored, load, read, stored
from store.elastic.index_facts import uuid_of
from store.elastic.reading import every, get_hit, get_hits
from store.generations import all_slices
from store.names import Names, month_end

MOST: Final = 5_000_000
"""Articles of a slice with a register: 27 MB of a document."""
SETTLED: Final = timedelta(days=2)
"""How long after its end a month gets its register."""
_QUIET: Final = timedelta(days=1)
"""How long after a late write a register may be made: far longer than the write takes that was announced."""

log = logging.getLogger(__name__)

Version = tuple[int, int]
"""A version of a register: sequence number and primary term."""


@dataclass(frozen=True, slots=True)
class Register:
    """What a document says of a slice."""

    uuid: str
    """The slice that it was made of. Empty: somebody has written to it since."""
    at: datetime
    ids: str = ""
    """Sorted hashes of four bytes each, the lowest byte first, in base64."""


@dataclass(slots=True)
class PastMonths:
    """The registers of one installation."""

    es: Elasticsearch
    names: Names
    _read: dict[str, tuple[Version, array[int]]] = field(default_factory=dict)
    """Slice → the register that was read last, which takes a while to unpack."""

    def lacking(self, index: str, ids: Iterable[str]) -> set[str]:
        """The ids that this slice certainly does not have; none without a register that holds now."""
        try:
            hashes = self._hashes(index)
        except (ApiError, NewswatchError, ValueError) as error:  # out of reach, too, or edited to nonsense
            log.warning("What %s has can't be told: %s", index, error)
            return set()
        return {name for name in ids if not _has(hashes, name)} if hashes is not None else set()

    def touch(self, index: str, now: datetime) -> None:
        """Announce a write to the slice of a past month, before it.

        Raises:
            elasticsearch's errors: it can't be announced, so nothing may be written.
        """
        self.es.index(index=self.names.months, id=index, document={"uuid": "", "at": now.isoformat()})

    def learn(self, now: datetime) -> list[str]:
        """Make the registers that are missing, and forget those of slices that are gone; the slices of those made."""
        slices = all_slices(self.es, self.names)
        self._forget_all_but({slice_.index for slice_ in slices})
        settled = [slice_.index for slice_ in slices if slice_.live and month_end(slice_.month) <= now - SETTLED]
        return [index for index in settled if self._learn(index, now)]

    def _learn(self, index: str, now: datetime) -> bool:
        try:
            was, uuid = self._head(index), uuid_of(self.es, index)
            if was and (was.value.uuid == uuid or now - was.value.at < _QUIET):
                return False
            self.es.indices.refresh(index=index)
            if self.es.count(index=index)["count"] > MOST:
                return False
            ids = _packed(hit["_id"] for hit in every(self.es, index, source=False))
        except (ApiError, NewswatchError) as error:
            log.warning("Which articles %s has can't be learned now: %s", index, error)
            return False
        document = {"uuid": uuid, "at": now.isoformat(), "ids": ids}
        return put(self.es, self.names.months, index, index, document, was) is not None

    def _head(self, index: str) -> Stored[Register] | None:
        """The register of a slice, without the hashes."""
        hit = next(iter(get_hits(self.es, self.names.months, [index], but=["ids"])), None)
        return stored(read(hit, _register), hit) if hit else None

    def _hashes(self, index: str) -> array[int] | None:
        head = self._head(index)
        if head is None or not head.value.uuid or head.value.uuid != uuid_of(self.es, index):
            return None
        version = head.seq_no, head.primary_term
        if (known := self._read.get(index)) and known[0] == version:
            return known[1]
        hit = get_hit(self.es, self.names.months, index)
        if hit is None or (hit["_seq_no"], hit["_primary_term"]) != version:
            return None
        hashes = _unpacked(read(hit, _register).ids)
        self._read[index] = version, hashes
        return hashes

    def _forget_all_but(self, slices: set[str]) -> None:
        hits = every(self.es, self.names.months, source=False, seq_no_primary_term=True)
        for result in bulk.write(self.es, (bulk.delete(stored(None, hit)) for hit in hits if hit["_id"] not in slices)):
            bulk.won(result)


def _register(_: str, document: Mapping[str, Any]) -> Register:
    return load(Register, document)


def _hash(name: str) -> int:
    return crc32(name.encode())


def _packed(ids: Iterable[str]) -> str:
    return b64encode(_little_endian(array("I", sorted(map(_hash, ids)))).tobytes()).decode()


def _unpacked(ids: str) -> array[int]:
    return _little_endian(array("I", b64decode(ids)))


def _little_endian(hashes: array[int]) -> array[int]:
    if sys.byteorder == "big":
        hashes.byteswap()
    return hashes


def _has(hashes: array[int], name: str) -> bool:
    wanted = _hash(name)
    place = bisect_left(hashes, wanted)
    return place < len(hashes) and hashes[place] == wanted
