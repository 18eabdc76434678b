"""Answers to pushes by their idempotency keys, so that a request that is sent again is answered as before.

They lie in the index of imports, and are forgotten after a day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from elasticsearch import Elasticsearch

from store.elastic.compare_and_set import put
from store.elastic.documents import Stored
from store.elastic.reading import get_hit
from store.names import Names

KEPT: Final = timedelta(days=1)
UNDER_WAY: Final = timedelta(minutes=2)
"""How long a request may take before another one with its key does it again."""
KIND: Final = "push"

Answer = Mapping[str, Any]


class Pushes:
    """The answers of one installation."""

    def __init__(self, es: Elasticsearch, names: Names) -> None:
        self._es, self._index = es, names.imports

    def begin(self, owner: str, key: str, body: bytes, now: datetime) -> Answer | Stored[None] | str:
        """The answer that was given before; or the claim, with which `end` keeps the new one.

        A text: "other" if the key was used for another body, "busy" if the same one is being worked on.

        Raises:
            StoreError: the index can't be read.
        """
        name = f"push~{hashlib.sha256(f'{owner} {key}'.encode()).hexdigest()[:32]}"
        content = hashlib.sha256(body).hexdigest()
        hit = get_hit(self._es, self._index, name)
        was: Stored[None] | None = None
        if hit is not None:
            said = hit["_source"]
            age = now - datetime.fromisoformat(said["changed_at"])
            if age < KEPT and said.get("hash") != content:
                return "other"
            if age < KEPT and said.get("done"):
                answer: Answer = said["counts"]
                return answer
            if age < UNDER_WAY:
                return "busy"
            was = Stored(None, hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"])
        document = {"id": name, "kind": KIND, "hash": content, "done": False, "changed_at": now.isoformat()}
        return put(self._es, self._index, name, None, document, was) or "busy"

    def end(self, claim: Stored[None], body: bytes, answer: Answer, now: datetime) -> None:
        """Keep the answer."""
        content = hashlib.sha256(body).hexdigest()
        document = {"id": claim.id, "kind": KIND, "hash": content, "done": True, "changed_at": now.isoformat()}
        put(self._es, self._index, claim.id, None, document | {"counts": dict(answer)}, claim)

    def give_up(self, claim: Stored[None]) -> None:
        """Let the next request with the key do it again at once."""
        self._es.options(ignore_status=(404, 409)).delete(
            index=self._index, id=claim.id, if_seq_no=claim.seq_no, if_primary_term=claim.primary_term
        )
