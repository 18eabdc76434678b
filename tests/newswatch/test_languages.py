"""One file is one language: it is whole, its faults are told with their lines, and one more needs nothing else."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel import Locale, UnknownLocaleError

from newswatch.errors import ConfigError
from newswatch.language_files import FOLDER, load_languages
from newswatch.languages import alternatives, analyzer_of, direction, known_as, languages, needed
from newswatch.settings import default_config_dir

SHIPPED = sorted((default_config_dir() / FOLDER).glob("*.yaml"))
BASQUE = Path(__file__).parent / "data" / "eu.yaml"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_language_is_whole(path: Path) -> None:
    language = languages()[path.stem]
    lacking = {part for part, given in needed(language) if not given}
    told = {part for part in lacking if any(f"{part}.".startswith(f"{named}.") for named in language.without)}
    assert lacking == told, "given, or named under `without`"
    assert path.stem in Locale("en").languages, "CLDR knows the code"
    for locale in language.dates.locales or ():
        assert Locale.parse(locale)


def test_every_file_is_a_language() -> None:
    assert sorted(languages()) == [path.stem for path in SHIPPED]


@pytest.mark.parametrize("code", sorted(languages()))
def test_a_consent_wall_has_all_its_kinds_or_none(code: str) -> None:
    kinds = languages()[code].walls.consent
    given = [bool(kinds.topic), bool(kinds.address), bool(kinds.button)]
    assert all(given) or not any(given)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("also: [bqe]", "alias: [bqe]", 2, "alias: there is no such key; did you mean 'also'?"),
        ("counted: 'iruzkin'", "counts: 'iruzkin'", 17, "labels.counts: there is no such key; did you mean 'counted'?"),
        ("dense: true", "dense: rather", 3, "must be true or false"),
        ("gate: ['irakurtzen", "gate: ['(irakurtzen", 37, "is no regular expression"),
        ("slots: ['iragarkia']", "slots: ['(?:iragarkia)?']", 25, "matches the empty text"),
        ("  slots: ['iragarkia']\n", "", 24, "prompts.slots: to be given, or named under `without`"),
        ("dense: true", "without: [prompts.slots]", 25, "prompts.slots: given, and named under `without`"),
        ("dense: true", "without: [poetry]", 3, "without: poetry is no part that a language needs"),
        ("EHT: '+2'", "EHT: 'two'", 6, "'two' is no offset"),
        ("garila: 7", "garila: 13", 11, "13 is no month"),
        ("dense: true", "dense: true\ndense: false", 4, "given twice"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    text = BASQUE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "eu.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_languages(tmp_path)
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"eu": "", "basque": ""}, "is no code of a language"),
        ({"eu": "", "xx": ""}, "another file describes 'basque'"),
        ({"eu": "", "bqe": "analyzer: {like: eu}"}, "also: bqe has a file"),
        ({"eu": "", "xy": "analyzer: {like: bqe}"}, "analyzer: bqe.yaml describes none"),
        ({}, "holds no language"),
    ],
)
def test_files_agree_with_each_other(tmp_path: Path, files: dict[str, str], says: str) -> None:
    whole = BASQUE.read_text(encoding="utf-8")
    for code, analyzer in files.items():
        parts = "" if not analyzer else f"{analyzer}\nwithout: [authors, labels, notices, prompts, walls]\n"
        (tmp_path / f"{code}.yaml").write_text(parts or whole, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        load_languages(tmp_path)


def test_an_own_file_adds_a_language_or_replaces_the_shipped_one(tmp_path: Path) -> None:
    shutil.copy(BASQUE, tmp_path / "eu.yaml")
    (tmp_path / "ga.yaml").write_text("without: [analyzer, authors, labels, notices, prompts, walls]\n")
    known = load_languages(default_config_dir() / FOLDER, tmp_path)
    assert known.keys() == languages().keys() | {"eu"}
    assert languages()["ga"].zones
    assert not known["ga"].zones


def test_a_worker_is_handed_what_was_read() -> None:
    known = pickle.dumps(languages())
    code = (
        "import pickle, sys\n"
        "from newswatch.languages import hand_over, languages\n"
        "hand_over(pickle.load(sys.stdin.buffer))\n"
        "print(len(languages()), sorted({'pydantic', 'yaml', 'babel'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], input=known, capture_output=True, check=True, cwd=ROOT)
    assert run.stdout.decode().strip() == f"{len(languages())} []"


@pytest.mark.slow
def test_dag_files_read_no_language() -> None:
    code = (
        "import dags.poll_feeds, dags.match_alerts, dags.deliver_mails, sys\n"
        "print('newswatch.language_files' in sys.modules)"
    )
    environment = os.environ | {"AIRFLOW__CORE__UNIT_TEST_MODE": "True"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    assert run.stdout.strip().splitlines()[-1] == "False"


# ── one file more ────────────────────────────────────────────────────────────────────────────────────────────────────

ASKED = """
import json
from datetime import datetime

from ingest.assemble import is_dense
from ingest.authors import names_in
from ingest.pages.trim import trim
from ingest.dates import read
from ingest.pages.walls import Shown, verdict
from ingest.wording import words
from ingest.zones import Hints
from newswatch.names_in_english import language
from newswatch.settings import Settings
from store.indices.mapping import ANALYZERS, DEFAULT_FIELDS, article_template
from store.names import Names
from transforms.language import primary_subtag
from transforms.taxonomy import TermGroup
from transforms.versions import notice

PROSE = "Ministroek bilera luze bat egin zuten hiriburuan eta akordio bat sinatu zuten. " * 3


def is_wall(text, title="Albistea"):
    return verdict(Shown((title,), text, text), free=True, words=0)[0]


def accepts(language):
    try:
        return bool(TermGroup(terms={language: ("bonba",)}))
    except ValueError:
        return False


def is_date(written, hints=Hints(None, "eu")):
    return isinstance(read(written, hints), datetime)


analysis = article_template(Names(), Settings())["template"]["settings"]["analysis"]
print(json.dumps({
    "alias": primary_subtag("bqe-ES") == "eu",
    "dense": is_dense("eu"),
    "analyzer": ANALYZERS.get("eu") == "basque" and "stemmed.basque" in DEFAULT_FIELDS,
    "token filters": analysis["filter"].get("basque_stemmer") == {"type": "stemmer", "language": "basque"},
    "terms": accepts("eu"),
    "names of months": is_date("6 uztaila 2026 18:00"),
    "more names of months": is_date("6 garila 2026 18:00"),
    "half of the day": is_date("6 Jul 2026 arratsaldez 6:30"),
    "filler": is_date("eguna 6 Jul 2026"),
    "zone": is_date("6 Jul 2026 18:00 EHT"),
    "authors": names_in("Egilea: Ane Etxeberria eta Jon Agirre") == ("Ane Etxeberria", "Jon Agirre"),
    "particle": names_in("Ane etxe Berria, Jon Agirre") == ("Ane etxe Berria", "Jon Agirre"),
    "counter": words("Albistea. 3 iruzkin") == words("Albistea. 4 iruzkin"),
    "stamp": words("Albistea. Eguneratua 18:05") == words("Albistea. Eguneratua 18:15"),
    "age": words("Albistea | duela 12 minutu") == words("Albistea | duela 47 minutu"),
    "days": words("Albistea | duela 2 egun") == words("Albistea | duela 3 egun"),
    "now": words("Albistea | oraintxe bertan") == words("Albistea"),
    "prompt": trim(f"{PROSE}\\nIrakurri gehiago Bilboko bileraz\\n{PROSE}", ()).count("Irakurri") == 0,
    "slot": trim(f"{PROSE}\\nIragarkia\\n{PROSE}", ()).count("Iragarkia") == 0,
    "consent": is_wall("Cookieak erabiltzen ditugu. Gure bazkideek ere bai. Onartu dena.") == "consent",
    "robots": is_wall("Zure nabigatzailea egiaztatzen. Ray ID.", "Itxaron une batez") == "empty"
    and "robots" in verdict(
        Shown(("Itxaron une batez",), "", "Zure nabigatzailea egiaztatzen, robota ez zarela."), free=True, words=0
    )[1],
    "refusal": "robots" in verdict(
        Shown(("x",), "", "Sarbidea ukatu. Zure nabigatzailea. Robota ez zarela."), free=True, words=0
    )[1],
    "paid": is_wall(PROSE + "Irakurtzen jarraitzeko, harpidetu orain.") == "paywall",
    "member": is_wall(PROSE + "Irakurtzen jarraitzeko: harpideduna zara?") == "paywall",
    "label": is_wall(PROSE + "Irakurtzen jarraitzeko. Harpidedunentzat") == "paywall",
    "retraction": str(notice("Artikulua erretiratu dugu", "")) == "retraction",
    "correction": str(notice("", "Zuzenketa: bi ziren")) == "correction",
    "clarification": str(notice("", "Argibidea: atzo zen")) == "clarification",
}))
"""


def asked(folder: Path | None) -> dict[str, bool]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEWSWATCH_")}
    own = {"NEWSWATCH_CONFIG_DIR": str(folder)} if folder else {}
    run = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, check=False, cwd=ROOT, env=environment | own
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, bool] = json.loads(run.stdout)
    return told


@pytest.mark.slow
def test_a_language_is_added_by_one_file(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    shutil.copy(BASQUE, tmp_path / FOLDER / "eu.yaml")
    with_it = asked(tmp_path)
    assert [what for what, is_so in with_it.items() if not is_so] == []


@pytest.mark.slow
def test_without_the_file_nothing_of_it_is_known() -> None:
    assert [what for what, is_so in asked(None).items() if is_so] == []


# ── what is asked of them ────────────────────────────────────────────────────────────────────────────────────────────


def test_one_code_for_one_language() -> None:
    assert [known_as(code) for code in ("nb", "nn", "iw", "yue", "de", "xx")] == ["no", "no", "he", "zh", "de", "xx"]


def test_chinese_japanese_and_korean_share_an_analyzer() -> None:
    assert analyzer_of("zh") is analyzer_of("ja") is analyzer_of("ko") is not None
    assert analyzer_of("uk") is None
    assert analyzer_of("xx") is None


def test_no_words_match_nothing() -> None:
    assert alternatives(lambda _: ()) == "(?!)"


@pytest.mark.parametrize("code", ["ar", "ckb", "dv", "fa", "he", "iw", "ks", "ps", "sd", "ug", "ur", "yi"])
def test_right_to_left(code: str) -> None:
    assert direction(code) == "rtl"


@pytest.mark.parametrize("code", ["en", "de", "ku", "zh", "xx", "not a code", "", None])
def test_what_is_not_surely_right_to_left_goes_by_its_letters(code: str | None) -> None:
    assert direction(code) == "auto"


def test_direction_is_what_cldr_says() -> None:
    for code in languages():
        try:
            expected = Locale.parse(code).text_direction
        except UnknownLocaleError:
            expected = "ltr"
        assert (direction(code) == "rtl") is (expected == "rtl"), code


def test_the_page_on_languages_tells_what_is_known_of_which() -> None:
    page = (ROOT / "docs" / "languages.md").read_text(encoding="utf-8")
    assert overview() in page, f"docs/languages.md should hold:\n{overview()}"


def overview() -> str:
    """The table of `docs/languages.md`."""
    parts = ["analyzer", "authors", "labels", "prompts", "walls.consent", "walls.robots", "walls.paid", "notices"]
    lines = ["| language | " + " | ".join(f"`{part}`" for part in parts) + " |", "|---" * (len(parts) + 1) + "|"]
    for code, language in languages().items():
        given = dict(needed(language))
        counts = (sum(has for path, has in given.items() if f"{path}.".startswith(f"{part}.")) for part in parts)
        cells = (str(count) if count else "·" for count in counts)
        lines.append(f"| {Locale('en').languages[code]} (`{code}`) | " + " | ".join(cells) + " |")
    return "\n".join(lines)
