"""The page and the mail set an article's text in the same direction."""

from __future__ import annotations

import re

import pytest

from newswatch.languages import languages
from tests.delivery.test_mail import part, told
from tests.factories import an_article
from web.render import environment

CODES = sorted({*languages(), "arc", "ckb", "dv", "ks", "ku", "sd", "ug", "yi", "xx"})


@pytest.mark.parametrize("code", CODES)
def test_mail_and_page_agree(code: str) -> None:
    article = an_article(title="Report on ice", language=code)
    mail = re.search(r'<h2 dir="(\w+)"', part(told(article), "html"))
    page = re.search(r'dir="(\w+)"', str(environment().get_template("macros.html.j2").module.direction(article)))  # type: ignore[attr-defined]
    assert mail
    assert page
    assert mail[1] == page[1]
