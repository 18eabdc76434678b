"""Pictures of the demo's mails, as the documentation shows them.

    make demo KEEP=1 && python -m tests.delivery.pictures docs/pictures

They are taken of the mails that the demo's mail catcher has kept, so they show what was sent. The page behind a story's
link is asked of the running demo, without an account. The PDF's page is drawn by Typst from invented stories in six
languages, as nothing here draws PDFs.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import typst
from playwright.sync_api import Browser, sync_playwright

from delivery.briefing_pdf import _data, _Drawn, _has_glyph
from delivery.message import StoryList
from embedded.mail import CaughtMail, list_mails
from embedded.stack_files import mail_folder
from newswatch.settings import Settings
from tests.delivery.channels.mails import a_briefing
from tests.web.chromium import CHROMIUM, OPTIONS


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the first mail that is the one, and how it is looked at."""

    name: str
    shows: Callable[[CaughtMail], bool]
    width: int = 720
    height: int = 1_100
    scheme: Literal["light", "dark"] = "light"


def _to(name: str) -> Callable[[CaughtMail], bool]:
    return lambda mail: mail.envelope_to == (f"{name}@example.org",)


def _grouped(mail: CaughtMail) -> bool:
    return _to("nato-desk")(mail) and not mail.in_reply_to


def _correction(mail: CaughtMail) -> bool:
    return _to("duty-editor")(mail) and bool(mail.in_reply_to)


def _update(mail: CaughtMail) -> bool:
    return _to("investigations")(mail) and bool(mail.in_reply_to)


PICTURES = (
    Picture("mail-instant", _to("duty-editor")),
    Picture("mail-phone", _to("duty-editor"), width=390, height=844),
    Picture("mail-group", _grouped),
    Picture("mail-group-dark", _grouped, scheme="dark"),
    Picture("mail-digest", _to("chief")),
    Picture("mail-correction", _correction),
    Picture("mail-update", _update),
    Picture("mail-briefing", _to("minister")),
)


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    kept = mail_folder(Settings().data_dir.parent / "newswatch-demo")
    parser.add_argument("--mails", type=Path, default=kept, help=f"where the demo has kept its mails ({kept})")
    options = parser.parse_args()
    mails = list_mails(options.mails)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        for picture in PICTURES:
            mail = next((mail for mail in mails if picture.shows(mail)), None)
            if mail is None:
                parser.exit(1, f"There is no mail for {picture.name} in {options.mails}: run the demo first.\n")
            take(browser, picture, mail, options.folder / f"{picture.name}.png")
        take_page(browser, next(filter(_update, mails)), options.folder / "mail-story-page.png")
        browser.close()
    draw_pdf(options.folder / "mail-briefing-pdf.png")


def take(browser: Browser, picture: Picture, mail: CaughtMail, path: Path) -> None:
    """Look at the mail's HTML without scripts and without a network, as a mail program does."""
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.scheme,
        java_script_enabled=False,
        offline=True,
    )
    tab = context.new_page()
    tab.set_content(mail.html)
    tab.screenshot(path=path)
    context.close()


def take_page(browser: Browser, mail: CaughtMail, path: Path) -> None:
    """Open the link to the whole story, as somebody to whom the mail was passed on."""
    context = browser.new_context(viewport={"width": 720, "height": 720})
    tab = context.new_page()
    found = re.search(r"http\S+/news/story/\S+", mail.text)
    assert found, "it has no link to its story"
    tab.goto(found[0])
    tab.screenshot(path=path)
    context.close()


def draw_pdf(path: Path) -> None:
    """The first page of a briefing's PDF."""
    message = a_briefing(6)
    assert isinstance(message.body, StoryList)
    drawn = _Drawn(_has_glyph)
    data = _data(message, message.body, drawn) | {"undrawn": drawn.told()}
    template = files("delivery").joinpath("templates/briefing.typ").read_bytes()
    made = typst.Compiler(template, font_paths=typst.Fonts()).compile(
        format="png", ppi=96, sys_inputs={"data": json.dumps(data, ensure_ascii=False)}
    )
    first = made[0] if isinstance(made, list) else made
    assert first
    path.write_bytes(first)


if __name__ == "__main__":
    main()
