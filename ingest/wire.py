"""Connections of aiohttp that read what browsers read: its parser sees heads that were mended (`ingest.heads`)."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from ingest.heads import MAX_HEAD, HeadError, end_of_head, is_interim, is_no_head, length_of, mended


class UnreadableAnswerError(aiohttp.ClientError):
    """What came back is no HTTP; the message goes on after the host's name: "sent a head of more than …"."""


class ForgivingConnector(aiohttp.TCPConnector):
    """A connector whose connections mend heads. aiohttp has no public place for it: its parser's leniency is fixed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast(Any, partial(_Forgiving, loop=self._loop))


class _Forgiving(ResponseHandler):
    """A connection of one request at a time: from each request on, heads come until one is not 1xx, then the body."""

    _head: bytearray | None = None
    """What has come of the head; None while no head is awaited."""
    _left: int | None = None
    """Bytes of the body that are still to come; None where the head doesn't say."""

    def set_response_params(self, **params: Any) -> None:
        self._head, self._left = bytearray(), None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            read = self._read_head(self._head, data)
            if read is None:
                return
            head, data = read
            super().data_received(head)
            if not data:
                return
        super().data_received(self._within_length(data))  # without data too: so aiohttp goes on where it paused
        if self.exception() is not None and self._payload is not None and not self._payload.is_eof():
            # What waits for the body would go on waiting: aiohttp tells of a broken chunk only who waits for a head.
            self._payload.set_exception(UnreadableAnswerError("sent an answer in chunks that can't be read"))

    def _read_head(self, received: bytearray, data: bytes) -> tuple[bytes, bytes] | None:
        """The head, mended, and what came of the body with it; None where more is to come, or it was refused.

        1xx says that more is to come, and has nothing for a reader: it is stepped over.
        """
        seen = len(received)
        received += data
        while (end := end_of_head(received, seen)) >= 0 and is_interim(received):
            del received[:end]
            seen = 0
        try:
            if is_no_head(received):
                raise HeadError(f"sent what is no HTTP: {bytes(received[:40])!r}")
            if max(end, len(received) if end < 0 else 0) > MAX_HEAD:
                raise HeadError(f"sent a head of more than {MAX_HEAD:,} bytes")
            if end < 0:
                return None
            head = mended(bytes(received[:end]))
        except HeadError as error:
            self._refuse(str(error))
            return None
        self._head, self._left = None, length_of(head)
        return head, bytes(received[end:])

    def _within_length(self, data: bytes) -> bytes:
        """`data` without what goes beyond the length of the body, which would be read as the next answer's head."""
        if self._left is None:
            return data
        if len(data) > self._left:
            self.force_close()
        data = data[: self._left]
        self._left -= len(data)
        return data

    def _refuse(self, why: str) -> None:
        self._head = None
        if self.transport is not None:
            self.transport.close()
        self.set_exception(UnreadableAnswerError(why))
