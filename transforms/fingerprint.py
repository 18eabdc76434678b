"""Fingerprints: detect articles that share their text.

`fingerprint` removes boilerplate, folds the text and splits it into overlapping shingles of five words (Broder, "On the
resemblance and containment of documents", 1997). MinHash turns the shingles into a signature, and each band of the
signature becomes a keyword. Two texts that share a band are candidates (locality-sensitive hashing); comparing their
shingles decides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from rensa import RMinHash

from newswatch.languages import alternatives
from newswatch.scripts import KANA_AND_HAN
from transforms.fold import fold

SHINGLE = 5
"""Words in a shingle; characters in Chinese and Japanese."""
BANDS, ROWS = 42, 3
"""Two texts with a Jaccard index of .5 share a band with probability 1 - (1 - .5³)⁴² = .996; with .1, .04."""
LEAST_SHINGLES = 12
"""Minimum shingles for bands: a shorter text says too little to count as a copy."""
ALIKE = 0.45
"""Minimum Jaccard index of copies."""
CONTAINED = 0.8
"""Two texts are also copies if they share this part of the shorter one's shingles, which must number `LEAST_CONTAINED`
or more."""
LEAST_CONTAINED = 40

_SEED = 0x6E657773
_BAND_NAMES = tuple(f"{RMinHash.ALGORITHM_VERSION}.{number:02d}." for number in range(BANDS))
"""Each name starts with the algorithm's version, because signatures of different versions can't be compared."""
_WORD = re.compile(rf"[{KANA_AND_HAN}]|[^\W_{KANA_AND_HAN}]+")
_NUMBER = re.compile(r"\d(?:\d*(?:[.,:]\d+)+|\d+)")  # starts with a single digit, which `re` finds much faster


def text_hash(title: str, text: str) -> str:
    """Hash of `title` and `text`, ignoring differences in white space: 32 hexadecimal digits."""
    folded = " ".join(title.split()) + "\n" + " ".join(text.split())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# ── boilerplate ──────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _boilerplate_line() -> re.Pattern[str]:
    frame = alternatives(
        lambda language: language.prompts.frame,
        rf"(?:{alternatives(lambda language: language.prompts.credits)})\s*[:©].{{0,120}}",
        rf"(?:{alternatives(lambda language: language.prompts.read_on)})\b.{{0,120}}",
        r"(?:©|\(c\)).{0,200}",
    )
    return re.compile(rf"^\W*(?:{frame})$", re.IGNORECASE)


_DATELINE = re.compile(r"^[^\n.!?]{0,80}?\((?:[A-Za-z]{2,12}|[\u0600-\u06ff .]{3,20})\)\s*(?:[-–—:]+|\s)\s*")


def own_words(text: str) -> str:
    """`text` without the lines that its outlet puts around every article, and without an agency's dateline."""
    lines = [line for line in text.split("\n") if not _boilerplate_line().match(line.strip())]
    return _DATELINE.sub("", "\n".join(lines), count=1)


# ── near-duplicates ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The features of a text that decide whether it is a copy."""

    shingles: frozenset[str]
    numbers: frozenset[str]
    bands: tuple[str, ...]
    """`BANDS` keywords; none if the text is too short."""


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of an article's text."""
    own = fold(own_words(text)).text
    words = _WORD.findall(own)
    shingles = zip(*(words[n:] for n in range(SHINGLE)), strict=False)
    unique = list(dict.fromkeys(map(" ".join, shingles)))
    return Fingerprint(
        shingles=frozenset(unique),
        numbers=frozenset(_NUMBER.findall(own)),
        bands=_bands(unique) if len(unique) >= LEAST_SHINGLES else (),
    )


def bands(text: str) -> tuple[str, ...]:
    """The keywords that find candidates for copies of `text`; none for a very short text."""
    return fingerprint(text).bands


def _bands(shingles: list[str]) -> tuple[str, ...]:
    signature = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    signature.update(shingles)
    rows = signature.digest()
    return tuple(name + _digest(*rows[n * ROWS : (n + 1) * ROWS]) for n, name in enumerate(_BAND_NAMES))


def _digest(*rows: int) -> str:
    return hashlib.blake2b(b"[%d, %d, %d]" % rows, digest_size=6).hexdigest()


def jaccard(a: Fingerprint, b: Fingerprint) -> float:
    """Shared shingles divided by all shingles of both texts, in [0, 1]; 0 if neither text has any."""
    either = len(a.shingles | b.shingles)
    return len(a.shingles & b.shingles) / either if either else 0.0


def containment(a: Fingerprint, b: Fingerprint) -> float:
    """The part of the shorter text's shingles that the longer text contains, in [0, 1]; 0 if it has none."""
    shorter = min(len(a.shingles), len(b.shingles))
    return len(a.shingles & b.shingles) / shorter if shorter else 0.0


def are_copies(a: Fingerprint, b: Fingerprint, *, same_outlet: bool = False) -> bool:
    """Whether one text copies the other, or both copy a third.

    Two pieces that one outlet writes on the same template (market tables, obituaries, live-blog shells) share the frame
    and differ in every figure. They are not copies.
    """
    alike = jaccard(a, b)
    if same_outlet and alike < 0.9 and _figures_differ(a, b):
        return False
    if alike >= ALIKE:
        return True
    return min(len(a.shingles), len(b.shingles)) >= LEAST_CONTAINED and containment(a, b) >= CONTAINED


def _figures_differ(a: Fingerprint, b: Fingerprint) -> bool:
    if min(len(a.numbers), len(b.numbers)) < 4:
        return False
    return len(a.numbers & b.numbers) < 0.3 * min(len(a.numbers), len(b.numbers))


# ── agencies ─────────────────────────────────────────────────────────────────────────────────────────────────────────

# Every spelling starts with a letter rather than a group, because `re` then scans for first letters ten times as fast.
_AGENCIES: dict[str, str] = {
    "Reuters": r"Reuters|REUTERS|رويترز|Рейтер[сз]?|路透社?|ロイター",
    "AP": r"The\ Associated\ Press|Associated\ Press|AP|أ\.?\ ?ب|أسوشيتد\ برس|美联社|AP通信",
    "AFP": r"AFP|Agence\ France[- ]Presse|فرانس\ برس|أ\.?\ ?ف\.?\ ?ب|法新社",
    "dpa": r"dpa|DPA|Deutsche\ Presse-Agentur|د\.?\ ?ب\.?\ ?أ",
    "APA": r"APA|Austria\ Presse\ Agentur",
    "ANSA": r"ANSA",
    "EFE": r"EFE|ACAN[- ]EFE",
    "TASS": r"ITAR[- ]TASS|TASS|ТАСС|تاس",
    "Interfax": r"Interfax|Интерфакс",
    "RIA Novosti": r"RIA\ Novosti|РИА\ Новости",
    "Ukrinform": r"Ukrinform|Укрінформ|УНІАН",
    "Anadolu": r"Anadolu(?:\ Agency|\ Ajansı)?|AA|الأناضول",
    "Xinhua": r"Xinhua|新华社|شينخوا",
    "Kyodo": r"Kyodo|共同通信|共同",
    "Jiji": r"Jiji|時事",
    "Yonhap": r"Yonhap|연합뉴스",
    "PAP": r"PAP",
    "PTI": r"PTI|Press\ Trust\ of\ India",
    "UPI": r"UPI",
    "PA": r"PA|Press\ Association|PA\ Media",
    "Belga": r"Belga",
    "ANP": r"ANP",
    "TT": r"TT",
    "NTB": r"NTB",
    "Ritzau": r"Ritzau",
    "Lusa": r"Lusa",
    "Agerpres": r"Agerpres",
    "IRNA": r"IRNA|ایرنا",
    "Bloomberg": r"Bloomberg",
}


@cache
def _agency_patterns() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Agency, pattern of its name, pattern of a credit. Searching for the name first usually skips the slow second."""
    before = alternatives(lambda language: language.prompts.agency, "©").replace(" ", r"\ ")
    return tuple(
        (
            name,
            re.compile(written, re.VERBOSE),
            re.compile(
                rf"[(\[（]\s*(?:{written})(?:\s*[,;/][^()]{{0,40}})?\s*[)\]）]"
                rf"|(?:^|\n)[^\n.]{{0,60}}?[-–—]\s*(?:{written})\s*(?:[-–—:.]|$)"
                rf"|(?:{before})\s*(?:\d{{4}}\s*)?(?:{written})(?!\w)"
                rf"|(?:^|\n)\s*(?:{written})\s*(?:$|\n)",
                re.VERBOSE,
            ),
        )
        for name, written in _AGENCIES.items()
    )


_ANY_AGENCY = re.compile("|".join(_AGENCIES.values()), re.VERBOSE)
_AUTHORS = tuple(
    (name, re.compile(rf"^(?:[Bb]y\s+)?(?:{written})$", re.VERBOSE)) for name, written in _AGENCIES.items()
)


def agency(text: str, authors: Iterable[str] = ()) -> str | None:
    """The first news agency named by `authors`, the dateline or a credit line at the end; None if there is none."""
    for author in authors:
        for name, pattern in _AUTHORS:
            if pattern.match(author.strip()):
                return name
    for part in (text[:250], text[-250:]):
        if credits := _credits(part):
            return min(credits)[1]
    return None


def _credits(part: str) -> list[tuple[int, str]]:
    """Position and agency of each credit in `part`."""
    if not _ANY_AGENCY.search(part):
        return []
    matches = ((name, credit.search(part)) for name, spelling, credit in _agency_patterns() if spelling.search(part))
    return [(match.start(), name) for name, match in matches if match]
