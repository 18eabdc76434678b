"""What a form carries of the value that it was made for, so that it can't undo what others changed since. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def fingerprint(value: DataclassInstance) -> str:
    """16 hexadecimal digits, the same for equal values."""
    return hashlib.sha256(json.dumps(asdict(value), sort_keys=True, default=str).encode()).hexdigest()[:16]
