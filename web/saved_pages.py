"""Saved searches: create, change, try on the archive, mute, switch off, delete."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from functools import partial
from itertools import chain, count
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from alerts import schedule
from alerts.backtest import MANY, Backtest, Difference, backtest, compare
from alerts.catch_up import missed, off_since
from alerts.counts import DAYS
from alerts.definitions import UsageError, with_fields
from alerts.kinds import KINDS
from alerts.query import check, check_meaning, check_values
from alerts.saved import SavedSearches
from delivery.channels.registry import parse_address
from delivery.feedback import Quality, labelled
from delivery.outbox import Outbox
from jobs.catching_up import enqueue_missed
from jobs.context import Context
from newswatch.alert import SavedSearch
from newswatch.errors import NewswatchError, QueryError
from search.extract_filters import extract_filters
from search.filters import SAVED
from search.limits import MAX_CHARS, shown
from search.senses import with_entities
from search.spelling import unsought
from search.syntax import parse
from store.articles import values_of
from web import drafts
from web.catcher import catches
from web.charts import bars
from web.drafts import Draft, draft_from, draft_of, fingerprint_of
from web.fingerprint import merged
from web.render import render
from web.search_about import VersionRow, about, listed, versions
from web.search_shown import finds, state_of
from web.security import (
    Form,
    Here,
    Posted,
    Role,
    UserAddress,
    UserName,
    may_alter,
    recipients_allowed,
    require_alter,
)
from web.subscriber_pages import ask_new_mails, check_recipients
from web.zones import zone_of

TRIAL_DAYS = 30
OWN_SEARCHES = 100
"""Maximum number of an analyst's own saved searches."""
MUTES = {"1 hour": 3_600, "1 day": 86_400, "1 week": 7 * 86_400}

router = APIRouter()
changes = APIRouter()

Done = Annotated[str, Query(max_length=100)]


@router.get("/searches/new")
def new_search(
    request: Request,
    here: Here,
    name: UserName,
    mail_to: UserAddress,
    q: Annotated[str, Query(max_length=MAX_CHARS)] = "",
) -> Response:
    recipients = mail_to or _usual_address(here, name)
    try:
        extracted = extract_filters(parse(q))
        query = with_entities(extracted.query, here.names.taxonomy_in_force())
    except QueryError as error:
        return _form_page(
            request, here, name, Draft(query=q, recipients=recipients, ends_in=str(zone_of(request))), fault=str(error)
        )
    draft = replace(
        draft_from(extracted, here.names.shown_topics(), recipients), query=query, ends_in=str(zone_of(request))
    )
    return _form_page(request, here, name, draft, dropped=extracted.dropped)


@router.get("/searches/{alert_id}")
def show_search(
    request: Request,
    here: Here,
    name: UserName,
    alert_id: str,
    done: Done = "",
    idle: Done = "",
    version: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """`version` puts an earlier version's fields into the form."""
    search = _saved(here).get(alert_id)
    if not version or version == search.version:
        return _form_page(
            request, here, name, draft_of(search, zone_of(request)), search=search, done=done, idle=bool(idle)
        )
    old = next((c.search for c in _saved(here).history(alert_id) if c.search.version == version), None)
    if old is None:
        raise HTTPException(404, f"{search.name} has no version {version}.")
    return _form_page(request, here, name, draft_of(old, zone_of(request)), search=search, version=version)


@changes.post("/searches/new")
def create_search(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    require_alter(request, name)
    draft = Draft.read(form)
    there = _saved(here).all()
    alert_id = form.text("id") or free_id(draft.name, there)
    search = SavedSearch(alert_id, draft.name, "", (), owner=name)
    if request.state.role < Role.EDITOR and sum(known.owner == name for known in there) >= OWN_SEARCHES:
        raise HTTPException(
            403, f"You have {OWN_SEARCHES} saved searches, as many as an analyst may: delete some first."
        )
    if form.text("do") != "try" and any(known.id == alert_id for known in there):
        fault = f"There is a saved search {alert_id!r} already: give this one another name."
        return _form_page(request, here, name, draft, fault=fault)
    return _tried_or_saved(request, here, name, form, draft, search, new=True)


@changes.post("/searches/{alert_id}")
def change_search(request: Request, here: Here, name: UserName, form: Posted, alert_id: str) -> Response:
    search = _alterable(request, here, alert_id)
    return _tried_or_saved(request, here, name, form, Draft.read(form), search, new=False)


@changes.post("/searches/{alert_id}/mute")
def mute_search(request: Request, here: Here, name: UserName, form: Posted, alert_id: str) -> Response:
    _alterable(request, here, alert_id)
    if form.text("for") not in (*MUTES, "", "missed"):
        raise UsageError(f"for: {shown(form.text('for'))} is none of {', '.join(MUTES)}")
    seconds = MUTES.get(form.text("for"))
    until = here.clock() + timedelta(seconds=seconds) if seconds else None
    _saved(here).change(alert_id, lambda was: replace(was, mute_until=until), by=name, now=here.clock())
    if form.text("for") == "missed":
        Outbox(here.es, here.names).requeue(alert_id, here.clock())
    return _back(request, f"/searches/{alert_id}" if "here" in form else "/searches", "muted" if until else "unmuted")


@changes.post("/searches/{alert_id}/switch")
def switch_search(request: Request, here: Here, name: UserName, form: Posted, alert_id: str) -> Response:
    _alterable(request, here, alert_id)
    if form.text("to") not in ("on", "off", "catch-up"):
        raise UsageError(f"to: {shown(form.text('to'))} is none of on, off, catch-up")
    saved, on = _saved(here), form.text("to") in ("on", "catch-up")
    search = saved.change(alert_id, lambda was: replace(was, enabled=on), by=name, now=here.clock())
    # Also if it is on by now: a user who repeats a request that broke off gets the rest, and nothing twice.
    since = off_since(saved.history(alert_id)) if form.text("to") == "catch-up" else None
    if since is not None:
        enqueue_missed(here, alert_id, missed(here.es, here.names, search, since))
    return _back(request, f"/searches/{alert_id}", "switched on" if on else "switched off")


@changes.post("/searches/{alert_id}/delete")
def delete_search(request: Request, here: Here, name: UserName, alert_id: str) -> Response:
    _alterable(request, here, alert_id)
    if listed(here, alert_id):
        raise HTTPException(409, _STAYS)
    _saved(here).delete(alert_id, by=name)
    return _back(request, "/searches", "deleted")


_STAYS = (
    "It stands in config/alerts.yaml and would come back from there: switch it off, or take it out of the file first."
)


def _alterable(request: Request, here: Context, alert_id: str) -> SavedSearch:
    """The saved search, if the user may change it."""
    search = _saved(here).get(alert_id)
    require_alter(request, search.owner)
    return search


def _usual_address(here: Context, user: str) -> str:
    """Where a user of whom Airflow knows no address wants mails: as the last time; on a catcher, at the user's name."""
    own = [search for search in _saved(here).all() if search.owner == user and search.recipients]
    if own:
        return own[-1].recipients[0]
    try:
        return parse_address(f"{user}@localhost") if catches(here.settings) else ""
    except ValueError:
        return ""


def slug(name: str) -> str:
    """An id made of a name: "NATO: Baltic air" → "nato-baltic-air"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-") or "search"


def free_id(name: str, there: Iterable[SavedSearch]) -> str:
    """An id made of a name that no search of another name has: names without Latin letters make one and the same.

    A search of the very name keeps its id, so that a form that is sent twice makes no second one.
    """
    names = {known.id: known.name for known in there} | {_NEW: ""}
    made = slug(name)
    ids = chain([made], (f"{made[:60].rstrip('-')}-{number}" for number in count(2)))
    return next(each for each in ids if names.get(each, name) == name)


_NEW = "new"
"""An id whose page is the empty form."""


# ── trying and saving ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Tried:
    """What a saved search would have found in the archive."""

    search: SavedSearch
    trial: Backtest
    labels: Quality
    """What readers said of mails on the stories that it finds."""
    against: Difference | None = None
    """To the version in force."""
    preview: str = ""
    """What it would see now, as a sentence; empty where its kind has none."""

    @property
    def unsought(self) -> str:
        """What is said of spellings that it does not look for: a sentence, or nothing."""
        return unsought(self.search.query)

    @property
    def is_idle(self) -> bool:
        """Whether nothing in the archive's last days matches what waits for articles."""
        return self.search.kind == "query" and not self.trial.articles

    @property
    def many(self) -> bool:
        """Whether it would send more mails than anybody reads; one that watches a volume sends few."""
        return self.search.kind == "query" and self.trial.per_day > MANY


def _tried_or_saved(
    request: Request, here: Context, user: str, form: Form, draft: Draft, search: SavedSearch, *, new: bool
) -> Response:
    known = None if new else search
    trying, was = form.text("do") == "try", form.text("was")
    try:
        tried = _try(here, draft, search, known, trying=trying, zone=zone_of(request))
        if known and not trying and fingerprint_of(known) not in (was, fingerprint_of(tried.search)):
            return _overtaken(request, here, user, draft, known, was)
        if not trying:
            recipients_allowed(request, tried.search.recipients, search.recipients)
        if trying or (tried.many and "confirmed" not in form):
            confirm = tried.many and not trying
            return _form_page(request, here, user, draft, search=known, was=was, tried=tried, confirm=confirm)
        added = [one for one in tried.search.recipients if known is None or one not in known.recipients]
        check_recipients(here, added, user)
        # First, so that nothing is sent before new addresses are held.
        unasked = ask_new_mails(here, added, user, request.state.user_address)
        saved, now = _saved(here), here.clock()
        write = saved.create if known is None else partial(saved.replace, known)
        kept = write(tried.search, by=user, now=now)
    except NewswatchError as error:
        return _form_page(request, here, user, draft, search=known, was=was, fault=str(error))
    done = "created" if new else "saved"
    if unasked:
        done = f"{done}, but {unasked[0]} could not be asked to confirm: ask again under Subscribers"[:100]
    return _back(request, f"/searches/{kept.id}", done, **({"idle": "yes"} if tried.is_idle else {}))


def _overtaken(request: Request, here: Context, user: str, draft: Draft, search: SavedSearch, was: str) -> Response:
    """The form again, as somebody has saved the search since it was opened: what was typed, over what is in force now.

    Saving it again puts that in force; the page says what the others have written.
    """
    zone, history = zone_of(request), _saved(here).history(search.id)
    states = [*(change.search for change in history), search]
    at = next((n for n in range(len(history) - 1, -1, -1) if fingerprint_of(states[n]) == was), None)
    if at is not None:
        draft = merged(draft_of(states[at], zone), draft, draft_of(search, zone))
    others = versions(search, history, here.names.shown_topics())[: len(history) - (at or 0)]
    return _form_page(request, here, user, draft, search=search, others=others if at is not None else others[:1])


def _try(
    here: Context, draft: Draft, search: SavedSearch, known: SavedSearch | None, *, trying: bool, zone: tzinfo
) -> Tried:
    fields = draft.fields()
    if trying:  # nobody needs to be mailed by what is only tried, nor need it have a name
        fields |= {"recipients": fields["recipients"] or ["nobody@localhost"], "name": fields["name"] or "try"}
    changed, now = with_fields(search, fields, parse_address), here.clock()
    if known is None or changed.query != known.query:
        check_meaning(here.names, changed.query)
    check_values(here.es, here.names, changed)
    check(here.es, here.names, changed)
    preview = KINDS[changed.kind].preview
    found = backtest(here.es, here.names, changed, days=TRIAL_DAYS, now=now, zone=zone)
    return Tried(
        changed,
        found,
        labelled(here.es, here.names, changed.id, found.story_ids),
        compare(here.es, here.names, changed, known, days=TRIAL_DAYS, now=now) if trying and known else None,
        preview(here.es, here.names, changed, now) if preview else "",
    )


# ── the form's page ──────────────────────────────────────────────────────────────────────────────────────────────────


def _form_page(
    request: Request,
    here: Context,
    user: str,
    draft: Draft,
    *,
    search: SavedSearch | None = None,
    fault: str = "",
    done: str = "",
    idle: bool = False,
    dropped: tuple[str, ...] = (),
    tried: Tried | None = None,
    confirm: bool = False,
    version: int = 0,
    was: str = "",
    others: Sequence[VersionRow] = (),
) -> Response:
    """`was` is the fingerprint of the search that the form was opened with; of what is in force, if empty."""
    values: Mapping[str, Any] = {
        "draft": draft,
        "search": search,
        "fault": fault,
        "done": done,
        "idle": idle,
        "dropped": dropped,
        "tried": tried,
        "confirm": confirm,
        "version": version,
        "was": was or (fingerprint_of(search) if search else ""),
        "others": others,
        "may_alter": may_alter(request, search.owner if search else user),
        "zone": zone_of(request),
        "bars": bars(tried.trial.days) if tried else [],
        "mail": urlencode(mail_fields(draft)) if tried else "",
        "topic_choices": _topics(here, draft),
        "saved_filters": SAVED,
        "kinds": _kinds(here, draft),
        "search_kinds": KINDS.values(),
        "form": drafts,
        "days_of_week": schedule.DAYS,
        "many": MANY,
        "days": TRIAL_DAYS,
    }
    shown = {"state_of": state_of, "finds": finds, "count_days": DAYS, "mutes": MUTES, "stays": _STAYS}
    known = about(here, user, search, zone_of(request)) if search else _NOTHING_KNOWN
    status = 409 if others else 400 if fault else 200
    return render(request, "search_form.html.j2", status, now=here.clock(), **shown, **values, known=known)


_NOTHING_KNOWN: Mapping[str, Any] = {
    "feed": None,
    "problem": None,
    "taken_as_word": "",
    "taken_out": "",
    "set_aside": None,
    "refusals": (),
}
"""`about` a saved search that is not there yet."""


def _topics(here: Context, draft: Draft) -> list[tuple[str, str]]:
    """Tag → its name, of all that can be asked for: those of the taxonomy, then what articles still carry."""
    topics = here.names.shown_topics()
    others = {*values_of(here.es, here.names, "tags"), *draft.tags} - {*topics.paths}
    return [(tag, topics.path(tag)) for tag in (*topics.paths, *sorted(others))]


def _kinds(here: Context, draft: Draft) -> list[str]:
    return sorted({*values_of(here.es, here.names, "source.kind"), *drafts.words(draft.kinds)})


def mail_fields(draft: Draft) -> dict[str, str]:
    """What the address of a sample mail needs to say of the draft."""
    given = {"name": draft.name, "query": draft.query, "schedule": draft.schedule}
    return {name: value for name, value in given.items() if value}


def _saved(here: Context) -> SavedSearches:
    return SavedSearches(here.es, here.names)


def _back(request: Request, path: str, done: str, **more: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}?{urlencode({'done': done, **more})}", 303)
