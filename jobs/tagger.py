"""The tagger of the taxonomy in force, cached between jobs."""

from __future__ import annotations

import gc
from functools import lru_cache

from jobs.context import Context
from jobs.versions import in_force
from newswatch.config import Source
from store.configuration import TAXONOMY
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy


def tagger_of(context: Context, *, adopt: bool = True) -> Tagger:
    """The tagger of the taxonomy in force. It takes half a second to build, so it is built when a poll first needs it.

    `adopt` as in `jobs.versions.in_force`.

    Raises:
        ConfigError: the machine's taxonomy can't be used, and no version is kept that can be.
    """
    return in_force(context, TAXONOMY, _tagger, adopt=adopt).value


@lru_cache(maxsize=2)  # the machine's own, and the one in force
def _tagger(source: Source) -> Tagger:
    tagger = Tagger(load_taxonomy(source))
    # Both live as long as the process; the garbage collector's scans of them took a seventh of a poll. What is
    # dead by now must go first: frozen, it would stay for good, with its open files.
    gc.collect()
    gc.freeze()
    return tagger
