"""Pages that are served in an article's place: consent walls, paywalls, bot checks, empty shells."""

from __future__ import annotations

import re
from typing import Final

from newswatch.model import TextStatus

SHELL_CHARS: Final = 80
"""Less text than that is no article; half of it in scripts that need few characters."""
WALL_CHARS: Final = 1_500
"""More text than that is an article, whatever stands around it."""
PAID_SHARE: Final = 0.6
"""Of the words a page says it has: with less, the rest is behind the wall."""

_CONSENT: Final = re.compile(
    r"cookies?\b|consent|privacy (?:policy|settings|choices)|we value your privacy|before you continue"
    r"|datenschutz|einwilligung|zustimm|mit werbung|confidentialité|accepter|consentement|privacidad|consentimiento"
    r"|aceptar|riservatezza|consenso|privacidade|consentimento|toestemming|prywatnoś|zgod[aęy]|samtycke|samtykke"
    r"|согласие|конфиденциальност|çerez|gizlilik|同意|隐私",
    re.IGNORECASE,
)
_PAYWALL: Final = re.compile(
    r"(?:subscribe|sign in|log ?in|register) (?:now )?to (?:continue|read|keep reading|unlock)|subscribers? only"
    r"|already a subscriber|for subscribers|to read the full (?:story|article)|this (?:article|content) is for "
    r"(?:paying )?(?:subscribers|members)|continue reading with|unlock (?:this|the full) article"
    r"|weiterlesen mit|artikel freischalten|jetzt weiterlesen|nur für abonnenten|abonnenten vorbehalten"
    r"|bereits abonnent"
    r"|réservée? aux abonnés|il vous reste [\d,.]+ ?% de|déjà abonné|article réservé|pour lire la suite"
    r"|para seguir leyendo|solo para suscriptores|exclusivo para suscriptores|ya eres suscriptor"
    r"|riservato agli abbonati|per continuare a leggere|sei già abbonato|exclusivo para assinantes|continue lendo"
    r"|alleen voor abonnees|lees verder met|al abonnee|dla prenumeratorów|czytaj dalej po|för prenumeranter"
    r"|logga in för att läsa|for abonnenter|kun for abonnenter|для подписчиков|abonelere özel"
    r"|会员专享|有料会員|会員限定",
    re.IGNORECASE,
)
_BOT_CHECK: Final = re.compile(
    r"just a moment|checking (?:your|the) browser|verify(?:ing)? (?:that )?you are (?:a )?human|are you a robot"
    r"|enable javascript and cookies|access (?:to this page has been )?denied|attention required|captcha"
    r"|request unsuccessful|unusual traffic|ddos protection|pardon our interruption|please enable js",
    re.IGNORECASE,
)
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def verdict(title: str, text: str, whole: str, *, free: bool, words: int) -> tuple[TextStatus, str | None]:
    """What the page is, and the sentence that says so where it is no whole article.

    `text` is what was extracted, `whole` all that the page shows, `free` and `words` what it says of itself.
    """
    length = _weight(text)
    if length < WALL_CHARS:
        if _BOT_CHECK.search(title) or (length < SHELL_CHARS and _BOT_CHECK.search(whole[:2_000])):
            return "empty", "the page is a check for robots, not the article"
        if _is_consent(title, text, whole):
            return "consent", "the page asks for consent in place of the article"
    if _is_paid(text, whole, length, free=free, words=words):
        return "paywall", "the page shows the beginning only: the rest is for subscribers"
    if length < SHELL_CHARS:
        return "empty", "the page shows no article text"
    return "full", None


def _is_consent(title: str, text: str, whole: str) -> bool:
    if len(whole) > 8_000:
        return False
    hits = len(_CONSENT.findall(text or whole))
    return (bool(_CONSENT.search(title)) and hits >= 2) or hits >= 4


def _is_paid(text: str, whole: str, length: int, *, free: bool, words: int) -> bool:
    if words >= 150 and len(text.split()) < PAID_SHARE * words and not free:
        return True
    if not free and length < WALL_CHARS:
        return True
    return length < WALL_CHARS and bool(_PAYWALL.search(text[-400:]) or (length < 700 and _PAYWALL.search(whole)))


def _weight(text: str) -> int:
    """The length of `text`, a CJK character counted as three: that many letters a word of the same weight has."""
    return len(text) + 2 * len(_CJK.findall(text))
