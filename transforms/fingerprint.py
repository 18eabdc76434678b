"""Fingerprints: by which two articles are known to say the same.

A text is cut down to what its writers wrote, folded, and read as overlapping runs of five words (Broder, "On the
resemblance and containment of documents", 1997). MinHash makes a signature of them, and bands of the signature are
keywords: two texts that share a band are candidates (locality-sensitive hashing), and their runs decide.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from rensa import RMinHash

from newswatch.languages import alternatives
from transforms.fold import fold

SHINGLE = 5
"""Words in a run; as many characters in Chinese and Japanese."""
BANDS, ROWS = 42, 3
"""A pair of Jaccard .5 shares a band with probability 1 - (1 - .5³)⁴² = .996, one of .1 with .04."""
LEAST_SHINGLES = 12
"""A shorter text has no bands: it says too little to be a copy of something."""
ALIKE = 0.45
"""From this Jaccard on two texts are copies."""
CONTAINED = 0.8
"""And from this share of the shorter text's runs on, where it has at least `LEAST_CONTAINED`."""
LEAST_CONTAINED = 40

_SEED = 0x6E657773
_BAND_NAMES = tuple(f"{RMinHash.ALGORITHM_VERSION}.{number:02d}." for number in range(BANDS))
"""The algorithm's version first, since another one's signatures can't be compared."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_NUMBER = re.compile(r"\d(?:\d*(?:[.,:]\d+)+|\d+)")  # begins with one digit: `re` looks for that much faster


def text_hash(title: str, text: str) -> str:
    """A hash of `title` and `text`, white space folded: 32 hexadecimal digits, equal for equal words."""
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
    """`text` without the lines that its outlet puts around any article, and without the dateline of an agency."""
    lines = [line for line in text.split("\n") if not _boilerplate_line().match(line.strip())]
    return _DATELINE.sub("", "\n".join(lines), count=1)


# ── near-duplicates ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is compared of a text."""

    shingles: frozenset[str]
    numbers: frozenset[str]
    bands: tuple[str, ...]
    """`BANDS` keywords, or none where the text is too short."""


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of an article's text."""
    own = fold(own_words(text)).text
    words = _WORD.findall(own)
    runs = zip(*(words[n:] for n in range(SHINGLE)), strict=False)
    unique = list(dict.fromkeys(map(" ".join, runs)))
    return Fingerprint(
        shingles=frozenset(unique),
        numbers=frozenset(_NUMBER.findall(own)),
        bands=_bands(unique) if len(unique) >= LEAST_SHINGLES else (),
    )


def bands(text: str) -> tuple[str, ...]:
    """The keywords by which candidates for copies of `text` are found; none for a very short text."""
    return fingerprint(text).bands


def _bands(runs: list[str]) -> tuple[str, ...]:
    signature = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    signature.update(runs)
    rows = signature.digest()
    return tuple(name + _digest(*rows[n * ROWS : (n + 1) * ROWS]) for n, name in enumerate(_BAND_NAMES))


def _digest(*rows: int) -> str:
    return hashlib.blake2b(b"[%d, %d, %d]" % rows, digest_size=6).hexdigest()


def jaccard(a: Fingerprint, b: Fingerprint) -> float:
    """The share of the two texts' runs that both have, in [0, 1]; 0 where neither has any."""
    either = len(a.shingles | b.shingles)
    return len(a.shingles & b.shingles) / either if either else 0.0


def containment(a: Fingerprint, b: Fingerprint) -> float:
    """The share of the shorter text's runs that the longer has, in [0, 1]; 0 where it has none."""
    shorter = min(len(a.shingles), len(b.shingles))
    return len(a.shingles & b.shingles) / shorter if shorter else 0.0


def are_copies(a: Fingerprint, b: Fingerprint, *, same_outlet: bool = False) -> bool:
    """Whether one text copies the other, or both a third.

    Two pieces of one outlet on one template (market tables, obituaries, live-blog shells) have their frame in common
    and differ in every figure: those are not.
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

# Every spelling begins with a letter, no group: `re` looks for the first letters of those ten times as fast.
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
def _credits() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Agency, how it is written, and how it is credited. Looking for the name first spares the slow third mostly."""
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
    """The news agency that `authors`, the dateline or a credit line at the end names first; None where none is."""
    for author in authors:
        for name, pattern in _AUTHORS:
            if pattern.match(author.strip()):
                return name
    for part in (text[:250], text[-250:]):
        if named := _credited(part):
            return min(named)[1]
    return None


def _credited(part: str) -> list[tuple[int, str]]:
    """Where in `part` an agency is credited, and which."""
    if not _ANY_AGENCY.search(part):
        return []
    return [
        (found.start(), name)
        for name, spelling, credit in _credits()
        if spelling.search(part) and (found := credit.search(part))
    ]
