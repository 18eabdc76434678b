"""The TAXII 2.1 server (OASIS), read-only, under the News page's `/taxii2`; keys of the scope `taxii` admit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import Response
from starlette.datastructures import URL

from jobs.context import Context
from newswatch.api_key import Scope
from store.ingest_order import Horizons
from web.api.answers import known_parameters, not_found
from web.api_keys import Opened, requires_key
from web.problem_json import TroubleError, machine_app
from web.taxii.collections import Collection, Filters, NextError, TaxiiPage, collections, page_of

PATH: Final = "/taxii2"
"""Below the News page."""
MEDIA: Final = "application/taxii+json;version=2.1"
STIX: Final = "application/stix+json;version=2.1"
OVERALL: Final = 6_000
"""Requests a minute of all keys, in each process of the web server."""
USUAL, MOST = 200, 1_000
"""Objects of a page."""
NEVER_WRITTEN: Final = 1
"""`max_content_length`: nothing can be posted, and 0 is not allowed."""

Json = dict[str, Any]
Words = Annotated[str, Query(max_length=10_000)]


def create_taxii(context: Callable[[], Context]) -> FastAPI:
    """The app; `context` is called for each request and may cache."""
    return machine_app(context, [_routes(Horizons())], title="newswatch TAXII", overall=OVERALL)


def _accepts(request: Request) -> None:
    """Refuse who asks for another media type or version.

    Raises:
        TroubleError: 406.
    """
    for one in ",".join(request.headers.getlist("accept") or ["*/*"]).split(","):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        version = next((part.partition("=")[2].strip('" ') for part in parameters if part.startswith("version")), "2.1")
        if (
            kind in ("*/*", "application/*", "application/taxii+json") and version == "2.1"
        ) or kind == "application/json":
            return
    raise TroubleError(406, "not-acceptable", f"This server gives {MEDIA}.", "Ask for that.")


def _answer(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return Response(text, media_type=MEDIA, headers={**(headers or {}), "Vary": "Accept, Authorization"})


def _both(router: APIRouter, path: str) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """The route of a path, with and without its last slash: some clients leave it out.

    A redirect would send them on, behind a proxy perhaps to an address without TLS, with the key.
    """

    def added(work: Callable[..., Response]) -> Callable[..., Response]:
        router.get(path.rstrip("/"), include_in_schema=False)(work)
        return router.get(path)(work)

    return added


def _routes(horizons: Horizons) -> APIRouter:
    admitted = [Depends(requires_key(Scope.TAXII, basic=True)), Depends(_accepts), Depends(known_parameters)]
    router = APIRouter(dependencies=admitted)

    @router.get("/")
    def discovery(request: Request, here: Opened) -> Response:
        asked = _as_asked(request.url.replace(query="", fragment=""), URL(here.settings.public_url))
        root = f"{str(asked).rstrip('/')}/api/"
        told = {"title": "newswatch", "description": "News articles as STIX 2.1.", "default": root, "api_roots": [root]}
        return _answer(told)

    @_both(router, "/api/")
    def api_root() -> Response:
        return _answer({"title": "newswatch", "versions": [MEDIA], "max_content_length": NEVER_WRITTEN})

    @_both(router, "/api/collections/")
    def list_collections(here: Opened) -> Response:
        return _answer({"collections": [_shown(one) for one in collections(here)]})

    @_both(router, "/api/collections/{collection_id}/")
    def show_collection(here: Opened, collection_id: str) -> Response:
        return _answer(_shown(_collection(here, collection_id)))

    @_both(router, "/api/collections/{collection_id}/objects/")
    def objects(here: Opened, collection_id: str, asked: Annotated[_Asked, Depends(_asked)]) -> Response:
        page = _page(here, collection_id, asked, horizons)
        return _answer(_envelope(page, [item.object for item in page.items]), _added(page))

    @_both(router, "/api/collections/{collection_id}/manifest/")
    def manifest(here: Opened, collection_id: str, asked: Annotated[_Asked, Depends(_asked)]) -> Response:
        page = _page(here, collection_id, asked, horizons)
        records = [
            {"id": i.object["id"], "date_added": _time(i.at), "version": _version(i.object), "media_type": STIX}
            for i in page.items
        ]
        return _answer(_envelope(page, records), _added(page))

    @_both(router, "/api/collections/{collection_id}/objects/{object_id}/")
    def one_object(
        here: Opened, collection_id: str, object_id: str, asked: Annotated[_Asked, Depends(_asked)]
    ) -> Response:
        page = _page(here, collection_id, asked.of(object_id), horizons)
        if not page.items and not page.more:
            raise not_found("object in this collection", "It may be older than what is kept.")
        return _answer(_envelope(page, [item.object for item in page.items]), _added(page))

    @_both(router, "/api/collections/{collection_id}/objects/{object_id}/versions/")
    def versions(
        here: Opened, collection_id: str, object_id: str, asked: Annotated[_Asked, Depends(_asked)]
    ) -> Response:
        page = _page(here, collection_id, asked.of(object_id), horizons)
        if not page.items and not page.more:
            raise not_found("object in this collection", "It may be older than what is kept.")
        body = _envelope(page, [])
        return _answer(
            body | {"versions": list(dict.fromkeys(_version(item.object) for item in page.items))}, _added(page)
        )

    return router


def _as_asked(seen: URL, public: URL) -> URL:
    """The address as the client wrote it: of one that a proxy has asked by TLS, this process may see `http`. Pure."""
    return seen.replace(scheme=public.scheme) if public.hostname == seen.hostname else seen


class _Asked:
    """What of a collection was asked for."""

    def __init__(self, filters: Filters, added_after: datetime | None, after: str, limit: int) -> None:
        self.filters, self.added_after, self.after, self.limit = filters, added_after, after, limit

    def of(self, object_id: str) -> _Asked:
        """The same of one object."""
        filters = Filters((object_id,), self.filters.types, self.filters.versions, self.filters.spec_versions)
        return _Asked(filters, self.added_after, self.after, self.limit)


def _asked(
    added_after: Annotated[str, Query(max_length=60)] = "",
    limit: Annotated[int, Query(ge=1)] = USUAL,
    next_: Annotated[str, Query(alias="next", max_length=60)] = "",
    ids: Annotated[str, Query(alias="match[id]", max_length=10_000)] = "",
    types: Annotated[str, Query(alias="match[type]", max_length=2_000)] = "",
    versions: Annotated[str, Query(alias="match[version]", max_length=2_000)] = "",
    spec_versions: Annotated[str, Query(alias="match[spec_version]", max_length=200)] = "",
) -> _Asked:
    filters = Filters(*(tuple(filter(None, text.split(","))) for text in (ids, types, versions, spec_versions)))
    return _Asked(filters, _moment(added_after) if added_after else None, next_, min(limit, MOST))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+").upper())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        step = "Write it as 2026-03-04T05:06:07.000000Z."
        raise TroubleError(400, "invalid-parameter", "added_after: it is no time with a zone.", step, "added_after")
    return moment


def _page(here: Context, collection_id: str, asked: _Asked, horizons: Horizons) -> TaxiiPage:
    collection = _collection(here, collection_id)
    try:
        return page_of(
            here,
            collection,
            asked.filters,
            horizons,
            added_after=asked.added_after,
            after=asked.after,
            limit=asked.limit,
        )
    except NextError as error:
        raise TroubleError(400, "invalid-parameter", str(error), "Give back `next` as it is.", "next") from error


def _collection(here: Context, collection_id: str) -> Collection:
    found = next((one for one in collections(here) if collection_id in (one.id, one.alias)), None)
    if found is None:
        raise not_found("collection", "The collections of this API root list them.")
    return found


def _shown(one: Collection) -> Json:
    told = {"id": one.id, "title": one.title, "description": one.description, "alias": one.alias}
    return told | {"can_read": True, "can_write": False, "media_types": [STIX]}


def _envelope(page: TaxiiPage, objects: list[Json]) -> Json:
    body: Json = {"objects": objects} if objects else {}
    return body | ({"more": True, "next": page.next} if page.more else {"more": False} if objects else {})


def _added(page: TaxiiPage) -> dict[str, str]:
    if page.first_at is None or page.last_at is None:
        return {}
    return {"X-TAXII-Date-Added-First": _time(page.first_at), "X-TAXII-Date-Added-Last": _time(page.last_at)}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _version(one: Json) -> str:
    return str(one["modified"])
