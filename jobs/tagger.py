"""The tagger of the current taxonomy, cached between jobs."""

from __future__ import annotations

import gc
from functools import lru_cache
from pathlib import Path

from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy


def tagger_of(config_dir: Path) -> Tagger:
    """The tagger of the current taxonomy. It takes half a second to build, so it is built when a poll first needs it.

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
    # Both live as long as the process; the garbage collector's scans of them took a seventh of a poll.
    gc.freeze()
    return tagger
