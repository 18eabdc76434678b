"""Loads the saved objects into Kibana: run `python -m kibana.load` once, and again after an update.

It reads the address and the login from the environment: KIBANA_URL, KIBANA_USERNAME and KIBANA_PASSWORD,
KIBANA_CA_CERTS and KIBANA_SPACE. The topics are those of the taxonomy in force, for which it asks the Elasticsearch of
the settings (`NEWSWATCH_ELASTICSEARCH_URL` …); if that does not answer, it says so and takes this machine's file. It
replaces objects with the same ids. Objects that analysts have created have other ids and stay. It does not change
settings that a user has set.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
from pydantic import ValidationError

from jobs.foreseen import foreseen
from kibana.build import DEFAULT_NEWS, build, ndjson, view_id
from kibana.definition import Definition, load
from newswatch.errors import NewswatchError
from newswatch.kibana_ids import DEFAULT_SPACE, in_space
from newswatch.servers import server
from newswatch.settings import Settings
from newswatch.topics import read_topics
from store.configuration import TAXONOMY
from transforms.taxonomy import load_taxonomy

Json = dict[str, Any]
ROLE = "newswatch_analyst"
WAIT_S = 300
_HEADERS = {"kbn-xsrf": "newswatch", "x-elastic-internal-origin": "newswatch"}


class KibanaError(NewswatchError):
    """Kibana can't be reached, or rejects an object."""


@dataclass(frozen=True, slots=True)
class Target:
    """A Kibana: its address, our login, and the space to load into."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    space: str = DEFAULT_SPACE

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Target:
        """The target from the environment (see the module). A login is removed from the address, which errors show.

        Raises:
            KibanaError: KIBANA_URL is not an address.
        """
        try:
            address = server(environment.get("KIBANA_URL") or "http://127.0.0.1:5601")
        except ValueError as error:
            raise KibanaError(f"KIBANA_URL is wrong: {error}") from None
        return cls(
            address.url.rstrip("/"),
            environment.get("KIBANA_USERNAME") or address.login.username,
            environment.get("KIBANA_PASSWORD") or address.login.password,
            environment.get("KIBANA_CA_CERTS") or None,
            environment.get("KIBANA_SPACE") or DEFAULT_SPACE,
        )

    @property
    def root(self) -> str:
        """The base URL of the space."""
        return self.url if self.space == DEFAULT_SPACE else f"{self.url}/s/{quote(self.space)}"


class Loader:
    """Loads objects into one Kibana."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session = requests.Session()
        self._session.headers.update(_HEADERS)
        self._session.verify = target.ca_certs or True
        if target.username and target.password:
            self._session.auth = (target.username, target.password)

    def await_ready(self, wait_s: float = WAIT_S) -> None:
        """Wait until Kibana reports that it is available.

        Raises:
            KibanaError: it is not available after `wait_s` seconds.
        """
        deadline = time.monotonic() + wait_s
        while (problem := self._problem()) is not None:
            if time.monotonic() > deadline:
                raise KibanaError(f"Kibana at {self._target.url} is not ready: {problem}")
            time.sleep(min(2.0, wait_s / 10))

    def _problem(self) -> str | None:
        try:
            answer = self._session.get(f"{self._target.url}/api/status", timeout=10)
            level = answer.json()["status"]["overall"]["level"] if answer.ok else f"it answers {answer.status_code}"
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            return str(error)
        return None if level == "available" else str(level)

    def load(self, definition: Definition, prefix: str = "", news: str = DEFAULT_NEWS) -> int:
        """Make the space, import every object, set the settings, put the role; how many objects that were.

        `news` is the address of the News page, to which objects link.

        Raises:
            KibanaError: Kibana rejects an object; the message names it.
        """
        self._make_space()
        objects = build(definition, prefix, self._target.space, news)
        files = {"file": ("saved_objects.ndjson", ndjson(objects).encode(), "application/ndjson")}
        answer = self._call("POST", f"{self._target.root}/api/saved_objects/_import?overwrite=true", files=files)
        if not answer.get("success"):
            raise KibanaError(f"Kibana rejected some objects: {_errors(answer)}")
        if moved := [one for one in answer.get("successResults", []) if one.get("destinationId")]:
            raise KibanaError(f"Kibana gave objects other ids, so that links miss them: {_moved(moved)}")
        self._set_settings(definition)
        self._put_role(definition, prefix)
        return int(answer["successCount"])

    def _make_space(self) -> None:
        if self._target.space == DEFAULT_SPACE:
            return
        body = {"id": self._target.space, "name": "newswatch", "description": "What the news says"}
        self._call("POST", f"{self._target.url}/api/spaces/space", json=body, harmless=(409,))

    def _set_settings(self, definition: Definition) -> None:
        """Set the settings that no user has set, so that an update doesn't undo an analyst's choice."""
        url = f"{self._target.root}/internal/kibana/settings"
        chosen = self._call("GET", url).get("settings", {})
        views = (view_id(name) for name, view in definition.data_views.items() if view.default)
        default = next((in_space(view, self._target.space) for view in views), None)
        wanted: Json = dict(definition.settings) | ({"defaultIndex": default} if default else {})
        changes = {name: value for name, value in wanted.items() if "userValue" not in chosen.get(name, {})}
        if changes:
            self._call("POST", url, json={"changes": changes})

    def _put_role(self, definition: Definition, prefix: str) -> None:
        """Create the analysts' role, which may read the articles and the objects of this space."""
        indices = sorted({prefix + view.index for view in definition.data_views.values()} | {f"{prefix}articles-*"})
        body = {
            "description": "Reads what newswatch has found, in Kibana.",
            "elasticsearch": {"indices": [{"names": indices, "privileges": ["read", "view_index_metadata"]}]},
            "kibana": [{"base": ["read"], "spaces": [self._target.space]}],
        }
        # Without security there are no roles.
        self._call("PUT", f"{self._target.url}/api/security/role/{self._role()}", json=body, harmless=(404,))

    def _role(self) -> str:
        """A role for each space: one for all would be replaced by each load, and lose the space loaded before."""
        space = self._target.space
        return ROLE if space == DEFAULT_SPACE else f"{ROLE}_{space}"

    def _call(self, method: str, url: str, *, harmless: tuple[int, ...] = (), **options: Any) -> Json:
        try:
            answer = self._session.request(method, url, timeout=60, **options)
        except requests.RequestException as error:
            raise KibanaError(f"Kibana at {self._target.url} can't be reached: {error}") from error
        if not answer.ok and answer.status_code not in harmless:
            raise KibanaError(f"{method} {url} was refused with {answer.status_code}: {answer.text[:500]}")
        return dict(answer.json()) if answer.content else {}


def _errors(answer: Json) -> str:
    errors = [f"{error.get('type')} {error.get('id')}: {error.get('error')}" for error in answer.get("errors", [])]
    return "; ".join(errors) or "it does not say why"


def _moved(results: list[Json]) -> str:
    listed = ", ".join(f"{one.get('type')} {one.get('id')} → {one['destinationId']}" for one in results[:5])
    return f"{listed}{' …' if results[5:] else ''}. Delete those in this space, and load again."


def main() -> None:
    """Load, and print the address of the dashboards; exit with 1 and a one-sentence message after a failure."""
    try:
        target = Target.from_environment(os.environ)
        loader = Loader(target)
        loader.await_ready()
        settings = Settings()
        taxonomy = foreseen(settings, TAXONOMY, load_taxonomy)
        if taxonomy.note:
            sys.stderr.write(f"{taxonomy.note}\n")
        news = f"{settings.public_url.rstrip('/')}/news"
        count = loader.load(load(read_topics(taxonomy.source)), settings.index_prefix, news)
    except (NewswatchError, ValidationError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{count} objects are in Kibana: {target.root}/app/dashboards\n")


if __name__ == "__main__":
    main()
