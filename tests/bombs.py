"""Little that unpacks to much, made quickly: it is made when tests are collected, in every worker."""

from __future__ import annotations

import gzip
import zlib


def gzip_bomb(unit: bytes, times: int) -> bytes:
    """One member of gzip that unpacks to `unit`, repeated; only the first is packed."""
    packer, crc = zlib.compressobj(1, wbits=-zlib.MAX_WBITS), 0
    # After a full flush nothing refers to what came before, so that the same bytes can follow again.
    packed = packer.compress(unit) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(times):
        crc = zlib.crc32(unit, crc)
    trailer = crc.to_bytes(4, "little") + (len(unit) * times % 2**32).to_bytes(4, "little")
    return gzip.compress(b"")[:10] + packed * times + packer.flush() + trailer
