"""A wrong, missing or old configuration file stops nothing: the version in force is used, and the fault is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.configuration import alerts_in_force, use
from jobs.context import Context, open_context
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import PullReport, pull
from jobs.recheck import recheck
from jobs.retag import retag
from jobs.tagger import tagger_of
from jobs.taxonomy_in_force import TaxonomyInForce
from newswatch.errors import ConfigError, NewswatchError
from newswatch.settings_in_part import settings_in_part
from observe.conditions import conditions
from observe.reading import read_pulse
from store.configuration import ALERTS, FEEDS, FILES, SETTINGS, TAXONOMY, ConfigurationStore
from store.feeds import FeedStore
from tests.jobs.conftest import ALERTS as A_SEARCH
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow


def poll(context: Context) -> PullReport:
    total = PullReport(0)
    for number in plan(context).batches:
        total = total.plus(**pull(context, number).counts())
    return total


def states(world: World) -> Mapping[str, str]:
    """File → why it is wrong, of those that are."""
    store = ConfigurationStore(world.context.es, world.context.names)
    return {state.name: state.why for state in store.states() if state.wrong_since}


def enabled(world: World) -> set[str]:
    return {record.feed.id for record in FeedStore(world.context.es, world.context.names).all() if record.feed.enabled}


def path_of(context: Context, name: str) -> Path:
    return context.settings.config_dir / name


def changed(context: Context, name: str, old: str, new: str) -> None:
    path = path_of(context, name)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def a_second_machine(world: World, tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> Context:
    """Another worker of the same installation, with its own folder. Call `as_host` before it works."""
    folder = tmp_path / host
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(path_of(world.context, name).read_bytes())
    monkeypatch.setattr("jobs.versions.HOST", host)
    return replace(world.context, settings=world.context.settings.model_copy(update={"config_dir": folder}))


def at(world: World, context: Context, name: str, *, minutes: float) -> None:
    """Give a file its time, counted from now."""
    seconds = world.now.timestamp() + 60 * minutes
    os.utime(path_of(context, name), (seconds, seconds))


# ── wrong files ──────────────────────────────────────────────────────────────────────────────────────────────────────


def bomb() -> bytes:
    """Nine lines that name a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines).encode()


def as_bytes(content: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    return spoil


def as_good(path: Path, content: bytes) -> None:
    if path.is_dir():
        path.rmdir()
    as_bytes(content)(path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")


def as_huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(30_000_000)


SPOILT: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "missing": (Path.unlink, "No such file"),
    "folder": (as_folder, "Is a directory"),
    "pipe": (as_pipe, "is not a file"),
    "unreadable": (unreadable, "Permission denied"),
    "huge": (as_huge, "at most 20,000,000 are read"),
    "binary": (as_bytes(b"\x7fELF\x00\x01\xff"), "is not UTF-8"),
    "NUL": (as_bytes(b"feeds: \x00"), "can't be read"),
    "UTF-16": (as_bytes("feeds: []".encode("utf-16")), ":1: is not UTF-8"),
    "Latin-1": (as_bytes("# ok\n# Zürich".encode("latin-1")), ":2: is not UTF-8"),
    "empty": (as_bytes(b""), "the file: must be keys with values"),
    "no YAML": (as_bytes(b"feeds: [\nalerts: {"), ":3: "),
    "deep": (as_bytes(b"[" * 100_000), "nesting"),
    "aliases": (as_bytes(bomb()), "with its aliases written out"),
    "itself": (as_bytes(b"feeds: &all [*all]\nalerts: *all\n"), "contains itself"),
    "wrong key": (as_bytes(b"feds: []\nallerts: []\ntopcs: {}\n"), "no such key"),
}


CASES = (*((how, FILES) for how in SPOILT if how != "unreadable"), *(("wrong key", [name]) for name in FILES))


@pytest.mark.parametrize("cases", [CASES, [("unreadable", FILES)]], ids=["each", "unreadable"])
def test_spoilt_files_stop_nothing(world: World, cases: Sequence[tuple[str, Sequence[str]]]) -> None:
    """One after the other in one installation: what is in force stays the version from before the first."""
    world.press.publish("main")
    assert poll(world.context).new == 1
    match(world.context)
    assert states(world) == {}
    good = {name: path_of(world.context, name).read_bytes() for name in FILES}
    failed = {}
    for how, files in cases:
        for name, content in good.items():
            as_good(path_of(world.context, name), content)
        try:
            spoilt_files_stop_nothing(world, how, files)
        except Exception as error:
            failed[f"{how} {files}"] = error
    assert failed == {}


def spoilt_files_stop_nothing(world: World, how: str, files: Sequence[str]) -> None:
    spoil, told = SPOILT[how]
    for name in files:
        spoil(path_of(world.context, name))
    world.press.publish("main")
    world.wait(minutes=2)
    assert poll(world.context).new == 1
    report = match(world.context)
    assert (len(report.batches), report.failed) == (1, {})
    assert list(states(world)) == list(files)
    for why in states(world).values():
        assert told in why
        assert "is used instead" in why


@pytest.mark.parametrize("name", [FEEDS, TAXONOMY])
def test_without_any_good_version_it_is_an_error_in_a_sentence(world: World, name: str) -> None:
    path_of(world.context, name).write_text("feds: []\n", encoding="utf-8")
    world.press.publish("main")
    with pytest.raises(ConfigError, match=rf"{name}:1: line 1: "):
        poll(world.context)
    assert name in states(world)
    assert "used instead" not in states(world)[name]


def test_a_wrong_first_list_of_searches_stops_no_mail(world: World) -> None:
    path_of(world.context, ALERTS).write_text("allerts: []\n", encoding="utf-8")
    world.press.publish("main")
    poll(world.context)
    assert len(match(world.context).batches) == 1
    assert "did you mean 'alerts'?" in states(world)[ALERTS]


def test_recovery_clears_it_and_the_new_version_is_in_force(world: World) -> None:
    poll(world.context)
    changed(world.context, FEEDS, "title: main", "titel: main")
    world.wait(minutes=1)
    plan(world.context)
    began = ConfigurationStore(world.context.es, world.context.names).kept(FEEDS).wrong[0].since
    assert began == world.now
    assert "did you mean 'title'?" in states(world)[FEEDS]
    world.wait(minutes=9)
    plan(world.context)
    assert ConfigurationStore(world.context.es, world.context.names).kept(FEEDS).wrong[0].since == began
    changed(world.context, FEEDS, "titel: main", "title: Main again")
    assert plan(world.context).sync.changed == ("main",)
    assert states(world) == {}


def test_one_wrong_item_of_the_searches_costs_itself_and_is_told(world: World) -> None:
    more = A_SEARCH + A_SEARCH.replace("\nalerts:\n", "").replace("nato\n", "other\n").replace("query:", "qeury:")
    path_of(world.context, ALERTS).write_text(more, encoding="utf-8")
    world.press.publish("main")
    poll(world.context)
    assert match(world.context).owed == 1
    assert "qeury" in states(world)[ALERTS]
    assert "did you mean 'query'?" in states(world)[ALERTS]
    before = states(world)
    world.wait(minutes=9)
    plan(world.context)
    assert states(world) == before, "the version in force is not read again, and its fault stays known"


@pytest.mark.parametrize("wrong", ["name: Twice", "note: !!map x"])
def test_an_item_of_the_searches_that_is_no_yaml_value_costs_itself_and_is_told(world: World, wrong: str) -> None:
    other = A_SEARCH.replace("\nalerts:\n", "").replace("nato\n", "other\n")
    path_of(world.context, ALERTS).write_text(f"{A_SEARCH}{other}    {wrong}\n", encoding="utf-8")
    world.press.publish("main")
    poll(world.context)
    assert match(world.context).owed == 1
    assert "alerts.yaml:" in states(world)[ALERTS]
    (deed,) = world.context.audit.listed(what="configuration put in force", subject=ALERTS)
    assert deed.details == "2 items", "it stands in the file, though it is not used"


def test_a_wrong_taxonomy_stops_neither_rechecks_nor_a_retag(world: World) -> None:
    world.press.publish("main")
    poll(world.context)
    path_of(world.context, TAXONOMY).write_text("topcs: {}\n", encoding="utf-8")
    recheck(world.context)
    assert retag(world.context).taxonomy
    assert "topics: is missing" in states(world)[TAXONOMY]


def test_what_topics_are_called_is_what_is_in_force(world: World) -> None:
    context = open_context(world.context.settings, clock=world.clock)
    plan(context)
    name = context.names.topics().name("nato")
    path_of(context, TAXONOMY).write_text("topics: {nato: {name: 7}}\n", encoding="utf-8")
    assert context.names.topics().name("nato") == name
    assert context.names.shown_topics().paths
    context.es.close()


def test_a_new_taxonomy_is_in_force_at_once_for_who_tags_by_it(world: World) -> None:
    context = open_context(world.context.settings, clock=world.clock)
    plan(context)
    before = context.names.topics()
    called = before.name("nato")
    changed(context, TAXONOMY, f"name: {called}", "name: The Alliance")
    tagger_of(context)
    assert context.names.topics().name("nato") == "The Alliance"
    context.es.close()


# ── several machines ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_workers_with_different_lists_do_not_switch_feeds_on_and_off(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        at(world, world.context, name, minutes=-60)
    plan(world.context)
    other = a_second_machine(world, tmp_path, "other", monkeypatch)
    path_of(other, FEEDS).write_text(
        path_of(other, FEEDS).read_text(encoding="utf-8").replace("id: main,", "id: late,"), encoding="utf-8"
    )
    at(world, other, FEEDS, minutes=-30)
    assert plan(other).sync.added == ("late",)
    assert enabled(world) == {"late"}
    for _ in range(3):
        world.wait(minutes=1)
        monkeypatch.setattr("jobs.versions.HOST", "first")
        planned = plan(world.context)
        assert (planned.sync.added, planned.sync.changed, planned.sync.disabled) == ((), (), ())
        monkeypatch.setattr("jobs.versions.HOST", "other")
        planned = plan(other)
        assert (planned.sync.added, planned.sync.changed, planned.sync.disabled) == ((), (), ())
        assert planned.config_error is None
    assert "newswatch config use" in states(world)[FEEDS]
    monkeypatch.setattr("jobs.versions.HOST", "first")
    path_of(world.context, FEEDS).write_bytes(path_of(other, FEEDS).read_bytes())
    plan(world.context)
    assert states(world) == {}


def test_an_upgrade_comes_through_though_all_files_have_one_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(world, world.context, FEEDS, minutes=-1_000)
    plan(world.context)
    upgraded = a_second_machine(world, tmp_path, "upgraded", monkeypatch)
    changed(upgraded, FEEDS, "title: main", "title: Main 2")
    at(world, upgraded, FEEDS, minutes=-1_000)
    assert plan(upgraded).sync.changed == ("main",)
    monkeypatch.setattr("jobs.versions.HOST", "not upgraded")
    assert plan(world.context).sync.changed == ()


def test_an_older_file_is_used_once_somebody_says_so(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(world.context)
    other = a_second_machine(world, tmp_path, "other", monkeypatch)
    changed(other, FEEDS, "title: main", "title: As it was")
    at(world, other, FEEDS, minutes=-600)
    assert plan(other).sync.changed == ()
    world.wait(minutes=1)
    use(other, path_of(other, FEEDS), FEEDS, by="ann")
    assert plan(other).sync.changed == ("main",)
    assert states(world) == {}
    log = world.context.audit
    log.refresh()
    (put,) = log.listed(who="ann")
    assert (put.what, put.subject, put.details) == ("configuration put in force", FEEDS, "changed main")
    assert {each.subject for each in log.listed(what=put.what)} == {FEEDS, ALERTS, TAXONOMY}
    assert len(log.listed(what="signing key first used")) == 1, "both machines have it"
    monkeypatch.setattr("jobs.versions.HOST", "first")
    assert plan(world.context).sync.changed == ()
    assert FEEDS in states(world)


def test_what_is_wrong_cannot_be_put_in_force(world: World) -> None:
    plan(world.context)
    before = ConfigurationStore(world.context.es, world.context.names).kept(FEEDS)
    path_of(world.context, FEEDS).write_text("feds: []\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        use(world.context, path_of(world.context, FEEDS), FEEDS, by="ann")
    assert ConfigurationStore(world.context.es, world.context.names).kept(FEEDS) == before


def test_who_only_looks_changes_nothing(world: World) -> None:
    plan(world.context)
    match(world.context)
    before = ConfigurationStore(world.context.es, world.context.names).all()
    path_of(world.context, ALERTS).write_text("alerts: []\n", encoding="utf-8")
    assert [search.id for search in alerts_in_force(world.context, adopt=False).value[0]] == ["nato"]
    assert ConfigurationStore(world.context.es, world.context.names).all() == before


# ── a wrong setting ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wrong_setting_of_mails_stops_mails_and_no_poll(world: World) -> None:
    good = world.context.settings
    stated = {name: getattr(good, name) for name in good.model_fields_set}
    world.context = replace(world.context, settings=settings_in_part(**stated | {"smtp_port": "abc"}))
    world.press.publish("main")
    assert poll(world.context).new == 1
    assert match(world.context).owed == 1
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^NEWSWATCH_SMTP_PORT: "):
            deliver(world.context)
    assert list(states(world)) == [SETTINGS]
    world.context.es.indices.refresh(index=world.context.names.pulse)
    pulse = read_pulse(world.context.es, world.context.names, good, world.now)
    told = {condition.id: condition.severity for condition in conditions(pulse, good)}
    assert told == {"configuration:settings": "critical"}, "the setting is told, not what follows"
    world.context = replace(world.context, settings=good)
    assert deliver(world.context).sent == 1, "nothing was begun, so nobody rests"


def test_a_sender_that_is_no_address_stops_mails_and_no_poll(world: World) -> None:
    settings = world.context.settings.model_copy(update={"mail_from": "nonsense"})
    context = open_context(settings, clock=world.clock, check_channels=False)
    world.press.publish("main")
    assert poll(context).new == 1
    assert "NEWSWATCH_MAIL_FROM" in states(world)[SETTINGS]
    with pytest.raises(NewswatchError, match="NEWSWATCH_MAIL_FROM"):
        deliver(context)
    context.es.close()
    with pytest.raises(NewswatchError, match="NEWSWATCH_MAIL_FROM"):
        open_context(settings)


# ── what is kept is damaged ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_lost_text_falls_back_to_the_own_file_and_drops_no_feed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(world.context)
    other = a_second_machine(world, tmp_path, "other", monkeypatch)
    changed(other, FEEDS, "id: main,", "id: old,")
    at(world, other, FEEDS, minutes=-600)
    es, names = world.context.es, world.context.names
    kept = ConfigurationStore(es, names).kept(FEEDS)
    es.delete(index=names.configuration, id=f"{FEEDS}~{kept.hash}", refresh=True)
    planned = plan(other)
    assert planned.sync.disabled == planned.sync.added == ()
    assert enabled(world) == {"main"}


def test_a_document_edited_to_nonsense_stops_nothing(world: World) -> None:
    plan(world.context)
    es, names = world.context.es, world.context.names
    es.index(index=names.configuration, id=FEEDS, document={"name": "nonsense"}, refresh=True)
    assert plan(world.context).sync.disabled == ()
    assert es.get(index=names.configuration, id=FEEDS)["_source"] == {"name": "nonsense"}


def test_a_lost_index_is_made_anew(world: World) -> None:
    plan(world.context)
    world.context.es.indices.delete(index=world.context.names.configuration)
    plan(world.context)
    assert ConfigurationStore(world.context.es, world.context.names).kept(FEEDS).hash


def test_what_is_in_force_is_asked_for_seldom(world: World) -> None:
    plan(world.context)
    seconds = 0.0
    path = path_of(world.context, TAXONOMY)
    asked = TaxonomyInForce(world.context.es, world.context.names, path, progress=lambda: seconds)
    assert asked() == path
    world.context.es.indices.delete(index=world.context.names.configuration)
    assert asked() == path
    path.unlink()
    seconds = asked.LOOK_S
    assert asked() == path, "what can't be asked stays as it was"
