"""Breaks the installation in one way, waits until that is told, mends it, waits until its end is told; judges it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks.outages.faults import CHAT, MAIL, Fault
from benchmarks.outages.installation import Checked, Installation
from benchmarks.outages.messages import BEGINS, ENDS, Told, told

LIMIT_S: Final = 180.0
"""Seconds within which the operator must know."""
PATIENCE_S: Final = 300.0
"""Seconds to wait for what comes too late, so that the table shows how late."""
END_S: Final = 480.0
"""Seconds to wait until the end is told by every way; a part that was restarted is trusted after five minutes."""
AGREE_S: Final = 60.0
"""Seconds within which page and command must say what was told, or that it is over: a page's reading is 15 s old."""
QUIET_S: Final = 600.0
"""Seconds to wait for an installation in which nothing is wrong."""
LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault. Times are seconds since it was made, or since it was mended."""

    fault: str
    what: str
    told_s: Mapping[str, float] = field(default_factory=dict)
    """Way → when it first told of the fault."""
    over_s: Mapping[str, float] = field(default_factory=dict)
    """Way → when it told the end."""
    ids: tuple[str, ...] = ()
    """The conditions of the fault that were told."""
    besides: tuple[str, ...] = ()
    """Other conditions that were told meanwhile."""
    often: Mapping[str, int] = field(default_factory=dict)
    """ "way id" → how often its beginning was told, where that is not once."""
    sentence: str = ""
    check: str = ""
    """The first line of `newswatch check` while it lasted."""
    banner: str = ""
    wrong: tuple[str, ...] = ()
    """What did not go as it must; empty: all did."""


def note(what: str) -> None:
    """Say on the standard error how far it is."""
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


def measure(fault: Fault, installation: Installation) -> Outcome:
    """Break, wait, mend, wait, judge."""
    problems: list[str] = []
    if left := await_quiet(installation):
        problems.append(f"before it: {left}")
    began = datetime.now(UTC)

    def begun() -> dict[str, datetime]:
        return _first(fault, installation, began, BEGINS)

    note(f"{fault.name}: broken")
    with fault.made(installation):
        made = datetime.now(UTC)
        await_true(lambda: fault.ways <= set(begun()), PATIENCE_S)
        note(f"{fault.name}: told by {', '.join(begun()) or 'nobody'}")
        during = agreement(fault, installation)
        time.sleep(fault.hold_s)
    mended = datetime.now(UTC)
    note(f"{fault.name}: mended")
    await_true(lambda: hearers(fault, set(begun())) <= set(_first(fault, installation, began, ENDS)), END_S)
    after = await_well(installation)
    items = told(installation.outside, began, datetime.now(UTC), fault.ids)
    return judged(fault, items, (made, mended), (during, after), problems)


def _first(fault: Fault, installation: Installation, since: datetime, changes: Sequence[str]) -> dict[str, datetime]:
    """Way → when it first told such a change of the fault."""
    items = told(installation.outside, since, datetime.now(UTC), fault.ids)
    return first(items, fault.ids, changes)


def first(items: Sequence[Told], ids: frozenset[str], changes: Sequence[str]) -> dict[str, datetime]:
    """Way → when it first told such a change of one of the ids. Pure."""
    found: dict[str, datetime] = {}
    for item in items:
        if item.id in ids and item.change in changes:
            found.setdefault(item.way, item.at)
    return found


def hearers(fault: Fault, told: set[str]) -> set[str]:
    """The ways that must hear of the end of what was told: those that can tell, also the one that was broken. Pure."""
    if not told:
        return set()
    return {MAIL, CHAT} | told if fault.ways & {MAIL, CHAT} else set(fault.ways)


def agreement(fault: Fault, installation: Installation) -> Checked:
    """What command and page say while it lasts: the first answer in which both name it, or the last one."""
    deadline = time.monotonic() + AGREE_S
    while True:
        said = installation.check()
        if (names(said, fault) and (said.banner or not fault.page)) or time.monotonic() > deadline:
            return said
        time.sleep(5)


def names(said: Checked, fault: Fault) -> bool:
    """Whether the command ends with an alarm that names the fault. Pure."""
    return bool(said.code) and bool(said.ids & fault.ids)


def await_well(installation: Installation) -> Checked:
    """What command and page say once nothing is wrong, or at last."""
    deadline = time.monotonic() + AGREE_S
    while True:
        said = installation.check()
        if (said.code == 0 and not said.banner and said.page) or time.monotonic() > deadline:
            return said
        time.sleep(5)


def await_quiet(installation: Installation) -> str:
    """Wait until nothing is wrong; what still is, else empty."""
    deadline = time.monotonic() + QUIET_S
    while True:
        said = installation.check()
        if said.code == 0:
            return ""
        if time.monotonic() > deadline:
            return f"{said.line} {sorted(said.ids)}"
        time.sleep(10)


def await_true(is_so: Callable[[], object], seconds: float) -> bool:
    """Wait until it is so, at most that long; whether it is."""
    deadline = time.monotonic() + seconds
    while not (so := bool(is_so())) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return so


# ── judging. Pure ────────────────────────────────────────────────────────────────────────────────────────────────────


def judged(
    fault: Fault,
    items: Sequence[Told],
    times: tuple[datetime, datetime],
    said: tuple[Checked, Checked],
    problems: Sequence[str] = (),
) -> Outcome:
    """The outcome: what was told when, and what of it is not as it must be."""
    (made, mended), (during, after) = times, said
    begun, ended = first(items, fault.ids, BEGINS), first(items, fault.ids, ENDS)
    own = [item for item in items if item.id in fault.ids]
    outcome = Outcome(
        fault=fault.name,
        what=fault.what,
        told_s={way: _seconds(at - made) for way, at in begun.items()},
        over_s={way: _seconds(at - mended) for way, at in ended.items()},
        ids=tuple(dict.fromkeys(item.id for item in own)),
        besides=tuple(dict.fromkeys(f"{item.id} ({item.way})" for item in items if item.id not in fault.ids)),
        often=_often(items),
        sentence=next((item.sentence for item in own if item.change in BEGINS), ""),
        check=during.line,
        banner=during.banner,
    )
    wrong = [*problems, *_untold(fault, outcome), *_disagreement(fault, during, after)]
    wrong += [f"told {count} times: {what}" for what, count in outcome.often.items()]
    return Outcome(**{name: getattr(outcome, name) for name in Outcome.__slots__} | {"wrong": tuple(wrong)})


def _seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 1)


def _often(items: Sequence[Told]) -> dict[str, int]:
    """ "way: id" → how often it was told without an end between, where that is more than once."""
    standing: dict[tuple[str, str], int] = {}
    often: dict[str, int] = {}
    for item in items:
        key = (item.way, item.id)
        if item.change == "new":
            standing[key] = standing.get(key, 0) + 1
            if standing[key] > 1:
                often[f"{item.way}: {item.id}"] = standing[key]
        elif item.change in ENDS:
            standing[key] = 0
    return often


def _untold(fault: Fault, outcome: Outcome) -> list[str]:
    """What was not told, or too late."""
    if fault.heals and not outcome.told_s:
        return []
    wrong = []
    for way in sorted(fault.ways):
        if way not in outcome.told_s:
            wrong.append(f"never told by {way}")
        elif outcome.told_s[way] > LIMIT_S:
            wrong.append(f"told by {way} after {outcome.told_s[way]:.0f} s")
    deaf = hearers(fault, set(outcome.told_s)) - set(outcome.over_s)
    wrong += [f"its end was never told by {way}" for way in sorted(deaf)]
    return wrong


def _disagreement(fault: Fault, during: Checked, after: Checked) -> list[str]:
    wrong = []
    if not fault.heals:
        if not names(during, fault):
            wrong.append(f"check did not name it: {during.code} {during.line} {sorted(during.ids)}")
        if fault.page and not during.banner:
            wrong.append(f"the page had no banner (status {during.page})")
    if after.code != 0:
        wrong.append(f"afterwards check said {after.code} {after.line} {sorted(after.ids)}")
    if after.banner:
        wrong.append(f"afterwards the page said: {after.banner[:200]}")
    return wrong
