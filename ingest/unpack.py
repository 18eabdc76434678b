"""Unpacks bytes by their first bytes rather than by their label.

Servers declare `gzip` for what is not packed, call gzip `x-gzip` or nothing at all (`feed.xml.gz`), send it in several
members or with bytes after its end. So the first bytes decide the coding; the label is used only if they don't.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
MAX_MEMBERS: Final = 1_000
"""Maximum members of one gzip file. Logs that are packed line by line have more; feeds have one or two."""
MAX_CODINGS: Final = 3
"""Maximum nested content codings."""
_CODINGS: Final = {
    "gzip": "gzip", "x-gzip": "gzip", "gz": "gzip", "deflate": "deflate", "x-deflate": "deflate", "zlib": "deflate",
    "br": "br", "brotli": "br", "zstd": "zstd", "zst": "zstd", "x-zstd": "zstd",
}  # fmt: skip
_PIECE: Final = 65_536
"""Bytes that are unpacked at a time, because what remains after the end of a member is copied."""


class NotUnpackedError(ValueError):
    """The packed data is damaged, or larger than is read."""


class _Stage(Protocol):
    """Undoes one coding as bytes arrive."""

    def feed(self, data: bytes, most: int) -> bytes:
        """The unpacked bytes of `data`: all, or slightly more than `most` of them and no further ones.

        Raises:
            Exception: the data is damaged; each library has its own exception.
        """


def unpacked(body: bytes, limit: int) -> bytes:
    """`body`, unzipped if it is a gzip file (`feed.xml.gz`); of a truncated one, as much as there is.

    Raises:
        NotUnpackedError: it is damaged, or has more than `limit` bytes.
    """
    if not body.startswith(GZIP):
        return body
    unpacking = Unpacking("gzip")
    plain = unpacking.feed(body, limit) + unpacking.end()
    if len(plain) > limit:
        raise NotUnpackedError(f"unpacked, it has more than {limit:,} bytes, which are not read")
    return plain


class Unpacking:
    """Undoes the codings of one body (RFC 9110, 8.4) as it arrives."""

    def __init__(self, label: str | None) -> None:
        """`label` is the Content-Encoding. Names that are not codings ("utf-8", "none") are ignored.

        Raises:
            NotUnpackedError: it names more codings than `MAX_CODINGS`.
        """
        named = [part.strip().lower() for part in (label or "").split(",")]
        codings = [_CODINGS[name] for name in named if name in _CODINGS]
        if len(codings) > MAX_CODINGS:
            raise NotUnpackedError(f"it is packed {len(codings)} times over")
        self._stages = [_Sniffed(coding) for coding in reversed(codings)]

    def feed(self, data: bytes, most: int) -> bytes:
        """The unpacked bytes of `data`: all, or slightly more than `most` of them and no further ones.

        Raises:
            NotUnpackedError: it is damaged.
        """
        for stage in self._stages:
            data = stage.feed(data, most)
        return data

    def end(self) -> bytes:
        """The bytes that were held back because too few had arrived to recognise the coding."""
        held = b""
        for stage in self._stages:
            held = (stage.feed(held, len(held)) if held else b"") + stage.end()
        return held


class _Sniffed:
    """A coding that is recognised by its first bytes, or else by its label; anything else is not packed."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._held = b""
        """The bytes received before any were unpacked."""
        self._stage: _Stage | None = None
        self._is_plain = False

    def feed(self, data: bytes, most: int) -> bytes:
        if self._is_plain:
            return data
        if self._stage is None:
            data = self._held = self._held + data
            if len(data) < len(ZSTD):
                return b""
            self._stage = _stage_of(data, self._coding)
            if self._stage is None:
                self._is_plain = True
                return data
        elif self._held:
            self._held = self._held + data if len(self._held) < _PIECE else b""
        try:
            plain = self._stage.feed(data, most)
        except NotUnpackedError:
            raise
        except Exception as error:  # the exceptions of zlib, brotli and zstd have no common base
            if not self._held or self._held.startswith((GZIP, ZSTD)):
                raise NotUnpackedError(f"it is {self._coding} that can't be unpacked: {error}") from error
            plain, self._is_plain = self._held, True
        if plain:
            self._held = b""
        return plain

    def end(self) -> bytes:
        """The bytes of a body that is too short to recognise its coding."""
        return self._held if self._stage is None and not self._is_plain else b""


def _stage_of(start: bytes, coding: str) -> _Stage | None:
    """The stage for the coding that a body begins with; None if it is not packed."""
    if start.startswith(GZIP):
        return _Gzip()
    if start.startswith(ZSTD):
        return _zstd()
    if coding == "deflate":
        has_header = start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0
        return _Deflate(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    return _brotli() if coding == "br" else None


class _Gzip:
    """Unpacks all members of a gzip file (RFC 1952, 2.2); like gzip, it ignores other data after them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._between = b""
        self._is_over = False

    def feed(self, data: bytes, most: int) -> bytes:
        plain = bytearray()
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            while piece and not self._is_over and len(plain) <= most:
                if self._member.eof and not self._next(piece):
                    break
                piece, self._between = self._between + piece, b""
                plain += self._member.decompress(piece, most + 1 - len(plain))
                piece = self._member.unused_data
        return bytes(plain)

    def _next(self, piece: bytes) -> bool:
        """Whether another member begins, as far as `piece` shows."""
        start = (self._between + piece)[:2]
        if len(start) < 2 and start == GZIP[:1]:
            self._between = start
            return False
        if start != GZIP:
            self._is_over = True
            return False
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise NotUnpackedError(f"it is a gzip file of more than {MAX_MEMBERS:,} members")
        self._member = zlib.decompressobj(wbits=31)
        return True


class _Deflate:
    """One coding in two formats: with zlib's header, as the standard requires, and without, as many send it."""

    def __init__(self, wbits: int) -> None:
        self._inflate = zlib.decompressobj(wbits=wbits)

    def feed(self, data: bytes, most: int) -> bytes:
        return b"" if self._inflate.eof else self._inflate.decompress(data, most + 1)


def _brotli() -> _Stage:
    from aiohttp.compression_utils import BrotliDecompressor

    return _Library(BrotliDecompressor().decompress_sync)


def _zstd() -> _Stage:
    from aiohttp.compression_utils import ZSTDDecompressor

    return _Library(ZSTDDecompressor().decompress_sync)


class _Library:
    """A decompressor of aiohttp, which chooses among the available libraries."""

    def __init__(self, decompress: _Decompress) -> None:
        self._decompress = decompress

    def feed(self, data: bytes, most: int) -> bytes:
        return self._decompress(data, most + 1)


class _Decompress(Protocol):
    def __call__(self, data: bytes, max_length: int) -> bytes: ...
