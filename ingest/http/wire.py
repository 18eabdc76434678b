"""aiohttp connections that accept what browsers do: heads are mended (`heads`) before aiohttp parses them."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from ingest.http.heads import MAX_HEAD, HeadError, end_of_head, is_interim, is_no_head, length_of, mended


class UnreadableAnswerError(aiohttp.ClientError):
    """The answer is not HTTP; the message continues the host's name: "sent a head of more than …"."""


class ForgivingConnector(aiohttp.TCPConnector):
    """A connector whose connections mend heads. aiohttp has no public hook for it: its parser's leniency is fixed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast(Any, partial(_Forgiving, loop=self._loop))


class _Forgiving(ResponseHandler):
    """A connection with one request at a time. After a request, heads follow until one is not 1xx, then the body."""

    _head: bytearray | None = None
    """The head received so far; None while no head is expected."""
    _left: int | None = None
    """Remaining bytes of the body; None if the head does not give its length."""

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
        super().data_received(self._within_length(data))  # without data too, so that aiohttp resumes where it paused
        if self.exception() is not None and self._payload is not None and not self._payload.is_eof():
            # Otherwise the reader of the body would wait forever: aiohttp reports a broken chunk only to a reader of
            # the head.
            self._payload.set_exception(UnreadableAnswerError("sent an answer in chunks that can't be read"))

    def _read_head(self, received: bytearray, data: bytes) -> tuple[bytes, bytes] | None:
        """The mended head, and the beginning of the body; None if the head is incomplete or was refused.

        1xx heads announce another head and carry nothing for a reader, so they are skipped.
        """
        seen = len(received)
        received += data
        while (end := end_of_head(received, seen)) >= 0 and is_interim(received):
            del received[:end]
            seen = 0
        try:
            if is_no_head(received):
                raise HeadError(f"sent what is not HTTP: {bytes(received[:40])!r}")
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
        """`data` without bytes beyond the length of the body, which would be taken for the next answer's head."""
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
