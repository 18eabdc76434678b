"""An encoder that has only what was recorded: the vectors of one set's headlines and leads, committed as numbers.

So the figures of stories across languages are measured in seconds, and without the optional encoder.
`python -m benchmarks.across --record` writes the file. A text that it does not hold is an error, not a missing vector.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.evaluate.labels import LabelError
from transforms.encoder import DIMENSIONS, Encoder, Vector, unit

VECTORS: Final = Path(__file__).with_name("story_vectors.bin")
_KEY: Final = 8
"""Bytes of the SHA-256 of a text."""
_RECORD: Final = struct.Struct(f"{_KEY}s{DIMENSIONS}b")


class Recorded:
    """The recorded vectors; its `name` is that of the encoder which made them."""

    def __init__(self, path: Path = VECTORS) -> None:
        """Read the file: the encoder's name and a line's end, then a record for each text."""
        name, _, records = path.read_bytes().partition(b"\n")
        self.name = name.decode("ascii")
        self._known = {key: unit(numbers) for key, *numbers in _RECORD.iter_unpack(records)}

    def encode(self, texts: Sequence[str]) -> list[Vector | None]:
        """The vectors of the texts; None for one that the encoder could not read.

        Raises:
            LabelError: a text was not recorded.
        """
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> Vector | None:
        key = _key(text)
        if key not in self._known:
            raise LabelError(f"no vector is recorded of {text[:40]!r}: run python -m benchmarks.across --record")
        return self._known[key]


def record(texts: Sequence[str], encoder: Encoder, path: Path = VECTORS) -> None:
    """Write the vectors of `texts`, each number as a share of the vector's greatest, in 127ths."""
    found = dict(zip(map(_key, texts), encoder.encode(texts), strict=True))
    records = [_RECORD.pack(key, *_bytes(found[key] or ())) for key in sorted(found)]
    path.write_bytes(encoder.name.encode("ascii") + b"\n" + b"".join(records))


def _bytes(vector: Vector) -> Sequence[int]:
    greatest = max(map(abs, vector), default=0.0)
    return [round(127 * x / greatest) for x in vector] if greatest else [0] * DIMENSIONS


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY]
