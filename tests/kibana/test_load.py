"""Loading into a stand-in for Kibana: an HTTP server that answers as Kibana's routes do and keeps what it is sent."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jobs.plan import plan
from kibana.build import build, view_id
from kibana.definition import load
from kibana.load import KibanaError, Loader, Target, main
from newswatch.kibana_ids import articles_view
from store.configuration import TAXONOMY
from store.names import Names
from tests.jobs.conftest import World, world  # noqa: F401 - a fixture

DEFINITION = load(Names().topics())


@dataclass(slots=True)
class StandIn:
    """What was asked, and how it answers."""

    url: str = ""
    asked: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)
    """Settings that a user has made."""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Path → status and body, instead of the usual."""
    not_ready: int = 0
    """How often it says that it is not."""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path in self.answers:
            return self.answers[path]
        if path == "/api/status":
            self.not_ready -= 1
            return 200, {"status": {"overall": {"level": "unavailable" if self.not_ready >= 0 else "available"}}}
        if path.endswith("/_import?overwrite=true"):
            return 200, {"success": True, "successCount": body.count(b'"typeMigrationVersion"'), "errors": []}
        if path.endswith("/internal/kibana/settings"):
            return 200, {"settings": self.chosen}
        return (204, None) if "/role/" in path else (200, {})

    def bodies(self, method: str, ending: str) -> list[Any]:
        return [json.loads(body) for how, path, body, _ in self.asked if how == method and path.endswith(ending)]


@pytest.fixture
def kibana() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stand_in.asked.append((self.command, self.path, body, dict(self.headers)))
            status, answer = stand_in.answer(self.command, self.path, body)
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = respond  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield stand_in
    server.shutdown()
    server.server_close()


def test_everything_is_imported_and_replaces_what_was_there(kibana: StandIn) -> None:
    target = Target(kibana.url, "elastic", "secret")
    assert Loader(target).load(DEFINITION, "eu-") == len(build(DEFINITION))
    (imported,) = (one for one in kibana.asked if "_import" in one[1])
    method, path, body, headers = imported
    assert (method, path) == ("POST", "/api/saved_objects/_import?overwrite=true")
    assert headers["kbn-xsrf"]
    assert headers["Authorization"].startswith("Basic ")
    assert b'filename="saved_objects.ndjson"' in body
    assert b'"title": "eu-articles"' in body


def test_settings_are_set_but_not_those_that_a_user_has_chosen(kibana: StandIn) -> None:
    kibana.chosen = {"dateFormat:tz": {"userValue": "Europe/Brussels"}}
    Loader(Target(kibana.url)).load(DEFINITION)
    (body,) = kibana.bodies("POST", "/internal/kibana/settings")
    assert set(body["changes"]) == {*DEFINITION.settings, "defaultIndex"} - {"dateFormat:tz"}
    assert body["changes"]["defaultIndex"] == view_id("articles")
    kibana.chosen = {name: {"userValue": "x"} for name in body["changes"]} | kibana.chosen
    Loader(Target(kibana.url)).load(DEFINITION)
    assert len(kibana.bodies("POST", "/internal/kibana/settings")) == 1


def test_a_space_of_its_own_is_made_and_loaded_into(kibana: StandIn) -> None:
    kibana.answers["/api/spaces/space"] = 409, {"message": "it exists"}
    Loader(Target(kibana.url, space="news")).load(DEFINITION)
    assert kibana.bodies("POST", "/api/spaces/space")[0]["id"] == "news"
    assert any(path.startswith("/s/news/api/saved_objects/_import") for _, path, _, _ in kibana.asked)
    assert kibana.bodies("PUT", "/role/newswatch_analyst_news")[0]["kibana"] == [{"base": ["read"], "spaces": ["news"]}]
    (settings,) = kibana.bodies("POST", "/internal/kibana/settings")
    assert settings["changes"]["defaultIndex"] == articles_view("news")
    (imported,) = (body for _, path, body, _ in kibana.asked if "_import" in path)
    assert settings["changes"]["defaultIndex"].encode() in imported


def test_other_ids_than_ours_are_told(kibana: StandIn) -> None:
    """Kibana's `destinationId`: the object exists in another space, and this one was given a random id."""
    moved = {"success": True, "successCount": 1, "successResults": [{"type": "lens", "id": "7", "destinationId": "8"}]}
    kibana.answers["/api/saved_objects/_import?overwrite=true"] = 200, moved
    with pytest.raises(KibanaError, match=r"other ids.*lens 7 → 8"):
        Loader(Target(kibana.url)).load(DEFINITION)


def test_analysts_read_the_views_and_nothing_else(kibana: StandIn) -> None:
    Loader(Target(kibana.url)).load(DEFINITION, "eu-")
    (role,) = kibana.bodies("PUT", "/role/newswatch_analyst")
    (granted,) = role["elasticsearch"]["indices"]
    assert granted["privileges"] == ["read", "view_index_metadata"]
    assert {f"eu-{view.index}" for view in DEFINITION.data_views.values()} <= set(granted["names"])


def test_without_security_there_is_no_role_to_put(kibana: StandIn) -> None:
    kibana.answers["/api/security/role/newswatch_analyst"] = 404, {"message": "no such route"}
    assert Loader(Target(kibana.url)).load(DEFINITION) > 0


def test_what_kibana_does_not_take_is_named(kibana: StandIn) -> None:
    refused = {"success": False, "errors": [{"type": "lens", "id": "7", "error": {"type": "missing_references"}}]}
    kibana.answers["/api/saved_objects/_import?overwrite=true"] = 200, refused
    with pytest.raises(KibanaError, match=r"lens 7: .*missing_references"):
        Loader(Target(kibana.url)).load(DEFINITION)


def test_a_refusal_is_told_with_where_and_why(kibana: StandIn) -> None:
    kibana.answers["/internal/kibana/settings"] = 403, {"message": "forbidden"}
    with pytest.raises(KibanaError, match=r"/internal/kibana/settings was refused with 403: .*forbidden"):
        Loader(Target(kibana.url)).load(DEFINITION)


def test_it_waits_until_kibana_is_ready(kibana: StandIn) -> None:
    kibana.not_ready = 2
    Loader(Target(kibana.url)).await_ready(2)
    assert kibana.not_ready < 0
    kibana.answers["/api/status"] = 503, {}
    with pytest.raises(KibanaError, match="not ready: it answers 503"):
        Loader(Target(kibana.url)).await_ready(0.2)


def test_the_environment_says_where_and_who() -> None:
    assert Target.from_environment({}) == Target("http://127.0.0.1:5601")
    said = {"KIBANA_URL": "https://k:1/", "KIBANA_USERNAME": "u", "KIBANA_PASSWORD": "p", "KIBANA_SPACE": "news"}
    assert Target.from_environment(said) == Target("https://k:1", "u", "p", None, "news")
    assert Target.from_environment(said).root == "https://k:1/s/news"


@pytest.mark.slow
def test_the_command_ends_with_where_to_look(
    kibana: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KIBANA_URL", kibana.url)
    main()
    assert f"{kibana.url}/app/dashboards" in capsys.readouterr().out
    kibana.answers["/api/saved_objects/_import?overwrite=true"] = 500, {}
    with pytest.raises(SystemExit, match="refused with 500"):
        main()


@pytest.mark.slow
def test_the_topics_are_those_of_the_taxonomy_in_force(
    kibana: StandIn,
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in world.context.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KIBANA_URL", kibana.url)
    path = world.context.settings.config_dir / TAXONOMY
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("name: NATO", "name: Atlantic pact", 1), encoding="utf-8")
    main()
    assert loaded(kibana, "Atlantic pact"), "no version is in force yet: the next job takes the file"
    plan(world.context)
    path.write_text(before, encoding="utf-8")
    os.utime(path, (0, 0))
    main()
    assert loaded(kibana, "Atlantic pact")
    assert "newswatch config use" in capsys.readouterr().err
    path.unlink()
    main()
    assert loaded(kibana, "Atlantic pact")
    assert str(path) in capsys.readouterr().err
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    with pytest.raises(SystemExit, match=TAXONOMY):
        main()
    path.write_text(before, encoding="utf-8")
    main()
    assert not loaded(kibana, "Atlantic pact")
    assert "taxonomy.yaml is in force can't be asked" in capsys.readouterr().err


def loaded(kibana: StandIn, text: str) -> bool:
    """Whether the text stands in what was imported last."""
    imported = [body for _, path, body, _ in kibana.asked if "_import" in path]
    return text.encode() in imported[-1]
