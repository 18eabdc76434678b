"""What the audit log says of configuration files and keys, which nobody changes through a page.

Pure, but for `note_key`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import yaml

from delivery.links import key_mark
from newswatch.config import Written, plain
from newswatch.errors import StoreError
from newswatch.some_of import some_of
from store.audit import Deed
from store.elastic.faults import REFUSALS

if TYPE_CHECKING:
    from jobs.context import Context

log = logging.getLogger(__name__)

KEY_CHANGED: Final = "signing key first used"
_IDS: Final = 20
"""Maximum number of items to name."""


def adoption(name: str, former: Written | None, file: Written, who: str, former_hash: str = "") -> Deed:
    """That a version of a configuration file is put in force, with the items that differ from the `former` one."""
    return Deed(who, "configuration put in force", name, former_hash[:16], file.hash[:16], differing(former, file))


def differing(former: Written | None, file: Written) -> str:
    """Which items of two versions differ, by their ids or addresses; of the taxonomy, its versions. No values."""
    before, after = (_items(one) if one else {} for one in (former, file))
    added, gone = [key for key in after if key not in before], [key for key in before if key not in after]
    changed = [key for key in after if key in before and before[key] != after[key]]
    parts = {"added": added if former else [], "changed": changed, "removed": gone}
    said = "; ".join(f"{what} {some_of(keys, _IDS)}" for what, keys in parts.items() if keys)
    return said or f"{len(after)} items"


def _items(file: Written) -> dict[str, Any]:
    """The items of the file by their names, read leniently: it has been checked, or was in force."""
    try:
        data = plain(file.text)
    except yaml.YAMLError:
        return {}
    items: dict[str, Any] = {}
    for name, part in data.items() if isinstance(data, dict) else ():
        if isinstance(part, list) and all(isinstance(one, dict) for one in part):
            # Addresses may hold keys, so a feed without an id goes by its title.
            items |= {str(one.get("id") or one.get("title") or n): one for n, one in enumerate(part)}
        else:
            items[f"{name} {part}" if isinstance(part, str | int | float) else str(name)] = part
    return items


def note_key(context: Context) -> None:
    """Record that a key signs links and forms that never did before.

    It goes by its mark (`delivery.links.key_mark`). A key is changed by a setting or a file, so that it can only be
    noted afterwards; that stops nothing.
    """
    try:
        mark = key_mark(context.settings)
        changes = context.audit
        if not mark or changes.listed(what=KEY_CHANGED, subject=mark, size=1):
            return
        changes.refresh()
        if not changes.listed(what=KEY_CHANGED, subject=mark, size=1):
            changes.record(Deed("the settings", KEY_CHANGED, mark, "", mark))
    except (StoreError, *REFUSALS) as error:
        log.error("Whether the signing key has changed can't be recorded: %s", error)
