"""Digests beside tags, asked of a small registry that wants a token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from newswatch.config import plain
from tools.images import FILES, INDEX, OWN, ROOT, Image, ImageError, digest_of, images_in, stale, with_digests

DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            if self.headers.get("Authorization") != "Bearer for anybody":
                realm = f'Bearer realm="http://{self.headers["Host"]}/token",service="s"'
                return self._answer(401, {"WWW-Authenticate": realm})
            kinds = {"one": "application/vnd.oci.image.manifest.v1+json", "good": INDEX.split(", ")[0]}
            kind = kinds.get(self.path.rpartition("/")[2])
            return (
                self._answer(200, {"Docker-Content-Digest": DIGEST, "Content-Type": kind})
                if kind
                else self._answer(404)
            )

        def do_GET(self) -> None:
            body = b'{"token": "for anybody"}' if "scope=repository%3Aa%2Fb%3Apull" in self.path else b"{}"
            self._answer(200, {"Content-Length": str(len(body))})
            self.wfile.write(body)

        def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_tag_has_its_digest(registry: str) -> None:
    assert digest_of(Image(f"{registry}/a/b", "good"), scheme="http") == DIGEST
    for name, tag, why in (
        ("a/b", "one", "no digest for all"),
        ("a/b", "none", "404"),
        ("c/d", "good", "can't be asked"),
    ):
        with pytest.raises(ImageError, match=why):
            digest_of(Image(f"{registry}/{name}", tag), scheme="http")


def test_where_an_image_is() -> None:
    assert (Image("postgres", "17").registry, Image("postgres", "17").repository) == (
        "registry-1.docker.io",
        "library/postgres",
    )
    assert Image("valkey/valkey", "8").repository == "valkey/valkey"
    assert Image("ghcr.io/astral-sh/uv", "1").registry == "ghcr.io"


def test_every_image_of_ours_gets_a_digest_and_nothing_else_changes() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    written = with_digests(text, lambda _: DIGEST)
    assert written.replace(f"@{DIGEST}", "") == text
    images = {service["image"] for service in plain(written)["services"].values()}
    assert {image for image in images if not image.endswith(DIGEST)} == {f"{OWN}:0.1.0"}
    assert with_digests(written, lambda _: DIGEST) == written
    found = {name: [*images_in((ROOT / name).read_text())] for name in FILES}
    assert len(found["Dockerfile"]) == 3
    names = {image.name for image, _ in found["docker-compose.yml"]}
    assert {"postgres", "valkey/valkey", "axllent/mailpit", "docker.elastic.co/kibana/kibana"} <= names
    assert len(stale([ROOT / "Dockerfile"], lambda _: DIGEST)) == 3
