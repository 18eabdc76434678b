"""Saved searches: list, create, change, try on the archive, mute."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from alerts.feedback import quality
from alerts.listing import deliveries
from alerts.query import check
from alerts.saved import SavedSearches, load_alerts, with_fields
from alerts.trial import MANY, Trial
from alerts.trial import trial as try_out
from jobs.context import Context
from newswatch.errors import ConfigError, NewswatchError, QueryError
from newswatch.model import SavedSearch
from search.articles import ArticleStore
from search.lift import lift
from search.syntax import parse
from web.charts import bars
from web.render import render
from web.security import Form, Here, Posted, UserName

TRIAL_DAYS = 30
SCHEDULES = ("instant", "hourly", "daily at 07:00 Europe/Brussels", "weekly on monday at 07:00 Europe/Brussels")
MUTES = {"1 hour": 3_600, "1 day": 86_400, "1 week": 7 * 86_400}

router = APIRouter()
changes = APIRouter()


@router.get("/searches")
def list_searches(request: Request, here: Here, done: Annotated[str, Query(max_length=100)] = "") -> Response:
    saved, trouble = _saved(here), ""
    try:
        # What the file lists is there before the first match has run.
        saved.seed(load_alerts(here.settings.config_dir / "alerts.yaml"), now=here.clock())
    except ConfigError as error:
        trouble = str(error)
    searches = sorted(saved.all(), key=lambda search: search.name.casefold())
    qualities = {q.alert_id: q for q in quality(here.es, here.names, [search.id for search in searches])}
    values = {
        "searches": searches,
        "quality": qualities,
        "problems": saved.problems(),
        "trouble": trouble,
    }
    shown = {"state_of": state_of, "watched": watched, "done": done}
    return render(request, "searches.html.j2", now=here.clock(), **shown, **values)


@router.get("/searches/new")
def new_search(request: Request, here: Here, q: Annotated[str, Query(max_length=4_000)] = "") -> Response:
    try:
        lifted = lift(parse(q))
    except QueryError as error:
        return _form_page(request, here, Draft(query=q), fault=str(error), new=True)
    draft = Draft(
        name=" ".join(part for part in (lifted.query, *(tag.tag for tag in lifted.tags)) if part)[:200],
        query=lifted.query,
        tags="\n".join(f"{tag.tag}:{tag.level}" for tag in lifted.tags),
        languages=", ".join(lifted.languages),
        countries=", ".join(lifted.countries),
        sources=", ".join(lifted.sources),
        kinds=", ".join(lifted.kinds),
    )
    return _form_page(request, here, draft, new=True, dropped=lifted.dropped)


@router.get("/searches/{alert_id}")
def show_search(
    request: Request, here: Here, alert_id: str, done: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    saved = _saved(here)
    search = saved.get(alert_id)
    return _form_page(request, here, draft_of(search), search=search, done=done)


@changes.post("/searches/new")
def create_search(request: Request, here: Here, name: UserName, form: Posted) -> Response:
    draft = Draft.read(form)
    alert_id = form.text("id") or slug(draft.name)
    if any(search.id == alert_id for search in _saved(here).all()):
        fault = f"There is a saved search {alert_id!r} already: give this one another name."
        return _form_page(request, here, draft, fault=fault, new=True)
    search = SavedSearch(alert_id, draft.name, "", (), owner=name)
    return _tried_or_saved(request, here, name, form, draft, search, new=True)


@changes.post("/searches/{alert_id}")
def change_search(request: Request, here: Here, name: UserName, form: Posted, alert_id: str) -> Response:
    return _tried_or_saved(request, here, name, form, Draft.read(form), _saved(here).get(alert_id), new=False)


@changes.post("/searches/{alert_id}/mute")
def mute_search(request: Request, here: Here, name: UserName, form: Posted, alert_id: str) -> Response:
    seconds = MUTES.get(form.text("for"))
    until = here.clock() + timedelta(seconds=seconds) if seconds else None
    saved = _saved(here)
    saved.save(replace(saved.get(alert_id), mute_until=until), by=name, now=here.clock())
    return _back(request, "/searches", "muted" if until else "unmuted")


@changes.post("/searches/{alert_id}/switch")
def switch_search(request: Request, here: Here, name: UserName, form: Posted, alert_id: str) -> Response:
    saved = _saved(here)
    saved.save(replace(saved.get(alert_id), enabled=form.text("to") == "on"), by=name, now=here.clock())
    return _back(request, "/searches", "switched on" if form.text("to") == "on" else "switched off")


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as typed: kept as it is while something in it is wrong."""

    name: str = ""
    query: str = ""
    tags: str = ""
    languages: str = ""
    countries: str = ""
    sources: str = ""
    kinds: str = ""
    min_sources: str = "1"
    min_score: str = "0"
    recipients: str = ""
    schedule: str = "instant"
    throttle: str = "0s"
    updates: bool = False
    note: str = ""

    @classmethod
    def read(cls, form: Form) -> Draft:
        """The form's fields."""
        texts = {name: form.text(name) for name in cls.__dataclass_fields__ if name != "updates"}
        return cls(**texts, updates=form.checked("updates"))

    def fields(self) -> dict[str, Any]:
        """As fields of `alerts.yaml`."""
        tags = [tag.partition(":") for tag in self.tags.replace(",", " ").split()]
        return {
            "name": self.name,
            "query": self.query,
            "tags": [{"tag": tag, "level": level or "mention"} for tag, _, level in tags],
            "languages": _listed(self.languages.lower()),
            "countries": _listed(self.countries.upper()),
            "sources": _listed(self.sources.lower()),
            "kinds": _listed(self.kinds.lower()),
            "min_sources": self.min_sources or 1,
            "min_score": self.min_score or 0,
            "recipients": _listed(self.recipients),
            "schedule": self.schedule,
            "throttle": self.throttle or "0s",
            "updates": self.updates,
            "note": self.note,
        }


def draft_of(search: SavedSearch) -> Draft:
    """The form of a saved search."""
    return Draft(
        name=search.name,
        query=search.query,
        tags="\n".join(f"{tag.tag}:{tag.level}" for tag in search.tags),
        languages=", ".join(search.languages),
        countries=", ".join(search.countries),
        sources=", ".join(search.sources),
        kinds=", ".join(search.kinds),
        min_sources=str(search.min_sources),
        min_score=f"{search.min_score:g}",
        recipients="\n".join(search.recipients),
        schedule=search.schedule,
        throttle=f"{search.throttle_s}s",
        updates=search.updates,
        note=search.note,
    )


def _listed(text: str) -> list[str]:
    return text.replace(",", " ").split()


def slug(name: str) -> str:
    """An id made of a name: "NATO: Baltic air" → "nato-baltic-air"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64] or "search"


def _tried_or_saved(
    request: Request, here: Context, user: str, form: Form, draft: Draft, search: SavedSearch, *, new: bool
) -> Response:
    known = None if new else search
    try:
        # Nobody needs to be mailed by what is only tried.
        fields = draft.fields()
        trying = form.text("do") == "try"
        if trying and not fields["recipients"]:
            fields["recipients"] = ["nobody@localhost"]
        if trying and not fields["name"]:
            fields["name"] = "try"
        changed = with_fields(search, fields)
        check(here.es, here.names, changed)
        found = try_out(here.es, here.names, changed, days=TRIAL_DAYS, now=here.clock())
        many = found.per_day > MANY and not form.checked("confirmed")
        if trying or many:
            confirm = many and not trying
            return _form_page(request, here, draft, search=known, new=new, trial=found, confirm=confirm)
        kept = _saved(here).save(changed, by=user, now=here.clock())
    except NewswatchError as error:
        return _form_page(request, here, draft, search=known, fault=str(error), new=new)
    return _back(request, f"/searches/{kept.id}", "saved")


def _form_page(
    request: Request,
    here: Context,
    draft: Draft,
    *,
    search: SavedSearch | None = None,
    fault: str = "",
    new: bool = False,
    done: str = "",
    dropped: tuple[str, ...] = (),
    trial: Trial | None = None,
    confirm: bool = False,
) -> Response:
    saved = _saved(here)
    recent = deliveries(here.es, here.names, alert_id=search.id, size=5) if search else None
    told = [d.article_id for d in recent.page if d.article_id] if recent else []
    values: Mapping[str, Any] = {
        "draft": draft,
        "search": search,
        "fault": fault,
        "new": new,
        "done": done,
        "dropped": dropped,
        "trial": trial,
        "bars": bars(trial.days) if trial else [],
        "confirm": confirm,
        "history": saved.history(search.id) if search else (),
        "quality": quality(here.es, here.names, [search.id])[0] if search else None,
        "recent": recent,
        "titles": ArticleStore(here.es, here.names).get(told) if told else {},
        "problem": saved.problems().get(search.id) if search else None,
        "schedules": SCHEDULES if draft.schedule in SCHEDULES else (draft.schedule, *SCHEDULES),
        "many": MANY,
        "days": TRIAL_DAYS,
    }
    status = 400 if fault else 200
    return render(request, "search_form.html.j2", status, now=here.clock(), state_of=state_of, mutes=MUTES, **values)


# ── how they are shown ───────────────────────────────────────────────────────────────────────────────────────────────


def state_of(search: SavedSearch, now: datetime) -> str:
    """In force, or what keeps it from mailing."""
    if not search.enabled:
        return "off"
    if search.expires_at and search.expires_at <= now:
        return "expired"
    return "muted" if search.mute_until and search.mute_until > now else "on"


def watched(search: SavedSearch) -> list[str]:
    """What it asks for, part by part."""
    parts = [search.query.strip()] if search.query.strip() else []
    parts += [f"tag:{tag.tag}" + (" (main)" if tag.level == "main" else "") for tag in search.tags]
    lists = {"lang": search.languages, "country": search.countries, "source": search.sources, "kind": search.kinds}
    parts += [f"{name}:{','.join(values)}" for name, values in lists.items() if values]
    parts += [f"at least {search.min_sources} independent sources"] if search.min_sources > 1 else []
    parts += [f"score of at least {search.min_score:g}"] if search.min_score else []
    return parts or ["every article"]


def _saved(here: Context) -> SavedSearches:
    return SavedSearches(here.es, here.names)


def _back(request: Request, path: str, done: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}?done={done.replace(' ', '+')}", 303)
