"""Pictures of the demo's mails, as the documentation shows them.

    make demo && python -m tests.delivery.pictures docs/pictures

They are taken of the mails that the demo's mail catcher has kept, so they show what was sent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

from embedded.mail import CaughtMail, list_mails
from embedded.stack import mail_folder
from newswatch.settings import Settings
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


PICTURES = (
    Picture("mail-instant", _to("duty-editor")),
    Picture("mail-phone", _to("duty-editor"), width=390, height=844),
    Picture("mail-group", _grouped),
    Picture("mail-group-dark", _grouped, scheme="dark"),
    Picture("mail-digest", _to("chief")),
    Picture("mail-correction", _correction),
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
        browser.close()


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


if __name__ == "__main__":
    main()
