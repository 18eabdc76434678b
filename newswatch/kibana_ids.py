"""The ids of our objects in Kibana, which links in mails and in Kibana itself hold. Pure.

Kibana gives an imported object another id, at random, if its id exists in another space. So each space has ids of its
own, which depend only on the space and the name.
"""

from __future__ import annotations

import re
import uuid
from typing import Final
from urllib.parse import unquote, urlsplit

DEFAULT_SPACE: Final = "default"
NAMESPACE: Final = uuid.UUID("7d9d0c5e-0d0b-5c55-9a0c-6e6577737761")
_SPACE: Final = re.compile(r"/s/([^/]+)/?$")


def stable_id(*parts: str) -> str:
    """An id that depends only on the parts, so that another import replaces the object, and links stay valid."""
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def in_space(object_id: str, space: str) -> str:
    """The id that the object has in the space. In the default space it is the one in `saved_objects.ndjson`."""
    return object_id if space == DEFAULT_SPACE else stable_id("space", space, object_id)


def articles_view(space: str = DEFAULT_SPACE) -> str:
    """The id of the articles' data view in the space."""
    return in_space(stable_id("data-view", "articles"), space)


def space_of(kibana_url: str) -> str:
    """The space at the address of a Kibana: `news` of https://kibana.example/s/news."""
    found = _SPACE.search(urlsplit(kibana_url).path)
    return unquote(found[1]) if found else DEFAULT_SPACE
