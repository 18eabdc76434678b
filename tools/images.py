"""Puts the digests of images beside their tags, in docker-compose.yml and the Dockerfile: `python -m tools.images`.

A tag can be moved to another image; a digest can't. A digest is of the image for all architectures (its index). The
registries are asked by the API of the OCI distribution specification, with a token for anybody where they want one;
nothing is downloaded. `--check` changes nothing and ends with 1 if a digest is missing or not the registry's.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import requests

ROOT: Final = Path(__file__).parents[1]
FILES: Final = ("docker-compose.yml", "Dockerfile")
OWN: Final = "newswatch"
"""The image that is built here."""
ANSWER_S: Final = 20
HUB: Final = "registry-1.docker.io"
INDEX: Final = ", ".join(
    ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
)
_IMAGE: Final = re.compile(
    r"^(?P<before>\s*image: (?:&\S+ )?|FROM )"
    r"(?P<name>[a-z0-9./:-]+?):(?P<tag>[\w][\w.-]*)(?P<digest>@sha256:[0-9a-f]{64})?",
    re.MULTILINE,
)
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')


class ImageError(Exception):
    """A registry gives no digest; the message names the image."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image by its tag."""

    name: str
    tag: str

    @property
    def registry(self) -> str:
        """The registry's host, with a port if it is another than HTTPS's."""
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first) else HUB

    @property
    def repository(self) -> str:
        """Its name in the registry."""
        if self.registry != HUB:
            return self.name.partition("/")[2]
        return self.name if "/" in self.name else f"library/{self.name}"


def images_in(text: str) -> Iterator[tuple[Image, str]]:
    """Each image of others that a file names, and the digest beside it; empty if there is none. Pure."""
    for found in _IMAGE.finditer(text):
        if found["name"] != OWN:
            yield Image(found["name"], found["tag"]), (found["digest"] or "").removeprefix("@")


def with_digests(text: str, digest_of: Callable[[Image], str]) -> str:
    """The file with each image's digest."""

    def one(found: re.Match[str]) -> str:
        if found["name"] == OWN:
            return found[0]
        digest = digest_of(Image(found["name"], found["tag"]))
        return f"{found['before']}{found['name']}:{found['tag']}@{digest}"

    return _IMAGE.sub(one, text)


def digest_of(image: Image, *, scheme: str = "https") -> str:
    """The digest of the index that the tag names now.

    Raises:
        ImageError: the registry does not answer, or has no such image for several architectures.
    """
    url = f"{scheme}://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
    try:
        answer = _head(url, {})
        if answer.status_code == 401:
            answer = _head(url, {"Authorization": f"Bearer {_token(answer, image)}"})
    except (requests.RequestException, ValueError, KeyError) as error:
        raise ImageError(f"{image.name}:{image.tag}: {image.registry} can't be asked ({error})") from error
    digest = answer.headers.get("Docker-Content-Digest", "")
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if answer.status_code != 200 or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest) or kind not in INDEX:
        told = f"{answer.status_code} {kind}".strip()
        raise ImageError(f"{image.name}:{image.tag}: {image.registry} gives no digest for all architectures ({told})")
    return digest


def _head(url: str, headers: dict[str, str]) -> requests.Response:
    return requests.head(url, headers={"Accept": INDEX, **headers}, timeout=ANSWER_S, allow_redirects=False)


def _token(challenge: requests.Response, image: Image) -> str:
    """A token for anybody, from where the registry says."""
    said = dict(_CHALLENGE.findall(challenge.headers.get("WWW-Authenticate", "")))
    realm = urlsplit(said["realm"])
    if realm.scheme != urlsplit(challenge.url).scheme:
        raise ValueError(f"it wants a token from {realm.scheme}://{realm.netloc}")
    asked = {"service": said.get("service", ""), "scope": f"repository:{image.repository}:pull"}
    answer = requests.get(f"{said['realm']}?{urlencode(asked)}", timeout=ANSWER_S, allow_redirects=False).json()
    return str(answer.get("token") or answer["access_token"])


def stale(paths: Iterable[Path], ask: Callable[[Image], str]) -> list[str]:
    """What stands beside an image that is not its digest now."""
    found = [(path, image, digest) for path in paths for image, digest in images_in(path.read_text(encoding="utf-8"))]
    return [
        f"{path.name}: {image.name}:{image.tag} has {digest or 'no digest'}, and is {now}"
        for path, image, digest in found
        if (now := ask(image)) != digest
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing; end with 1 if a digest is not the registry's"
    )
    arguments = parser.parse_args()
    known: dict[Image, str] = {}

    def ask(image: Image) -> str:
        if image not in known:
            known[image] = digest_of(image)
        return known[image]

    paths = [ROOT / name for name in FILES]
    try:
        wrong = stale(paths, ask)
    except ImageError as error:
        sys.exit(str(error))
    print("\n".join(wrong) or "Every image has the digest that its tag names now.")
    if arguments.check:
        sys.exit(bool(wrong))
    for path in paths:
        path.write_text(with_digests(path.read_text(encoding="utf-8"), ask), encoding="utf-8")


if __name__ == "__main__":
    main()
