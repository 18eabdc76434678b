"""Checks CSS selectors. Pure; apart from `ingest.lists.rules`, so that reading the list of feeds needs no lxml."""

from __future__ import annotations


class RuleError(ValueError):
    """A rule can't be applied; the message says which part of it and why."""


def check_css(selector: str) -> str:
    """`selector` if it is a CSS selector.

    Raises:
        RuleError: it is not.
    """
    import cssselect

    try:
        cssselect.HTMLTranslator().css_to_xpath(selector)
    except cssselect.SelectorError as error:
        raise RuleError(f"{selector!r} is not a CSS selector: {error}") from error
    return selector
