"""The tagger of the taxonomy as it stands, kept from job to job."""

from __future__ import annotations

import gc
from functools import lru_cache
from pathlib import Path

from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy


def tagger_of(config_dir: Path) -> Tagger:
    """The tagger of the taxonomy as it stands; made when a poll first brings something new, as it takes half a second.

    Raises:
        ConfigError: it can't be read.
    """
    path = config_dir / "taxonomy.yaml"
    try:
        stat = path.stat()
    except OSError:
        return Tagger(load_taxonomy(path))  # which says what is wrong
    return _tagger(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _tagger(path: Path, _changed_ns: int, _size: int) -> Tagger:
    tagger = Tagger(load_taxonomy(path))
    # It and what is imported live as long as the process: to look through them for garbage took a seventh of a poll.
    gc.freeze()
    return tagger
