"""Each probe by itself: what it sees, what it can't, and that none holds up the others."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from delivery.channels.email import EMAIL
from embedded.processes import free_port
from embedded.supervise import Trouble
from newswatch.clock import utc_now
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.conditions import conditions
from observe.probes import airflow, certificates, configuration, disk, elasticsearch, heartbeat, mail, pipeline, stack
from observe.probes.probe import Lookout, Probe, Report, look_of
from observe.pulse import MailState, Pulse, Storage
from observe.reading import read_pulse
from observe.watched import WATCHMAN, Watched, as_pulse, conditions_of
from store.elastic.client import connect
from store.names import Names
from tests.delivery.post_office import open_post_office
from tests.observe.receiver import Receiver, receiving

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def condition(condition_id: str, severity: Severity = Severity.CRITICAL, since: datetime | None = None) -> Condition:
    return Condition(condition_id, severity, f"{condition_id}.", "Mend it.", since)


def ids(report: Report) -> list[str]:
    return [found.id for found in report.conditions]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as there:
        yield there


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with its first connection what it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                with server.accept()[0] as connection:
                    serve(connection)
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


# ── the lookout ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_probe_that_hangs_delays_nobody_and_is_not_begun_twice() -> None:
    hold, begun, ended = threading.Event(), [], []

    def hang() -> Report:
        begun.append(1)
        hold.wait(60)
        ended.append(1)
        return Report((condition("hung"),))

    late = Report((condition("late"),))
    lookout = Lookout(
        [Probe("slow", hang, deadline_s=0.2, late=late), Probe("quick", lambda: Report((condition("q"),)))]
    )
    assert set(lookout.look().sightings) == {"late", "q"}
    assert set(lookout.look().sightings) == {"late", "q"}
    assert (len(begun), ended) == (1, []), "nobody has waited for it"
    hold.set()
    while lookout._reports.empty():
        time.sleep(0.01)
    hold.clear()
    assert set(lookout.look().sightings) == {"late", "q"}, "the old result came in, and the next run hangs again"
    hold.set()


def test_a_probe_that_fails_is_blind() -> None:
    def fail() -> Report:
        raise RuntimeError

    lookout = Lookout([Probe("broken", fail)])
    assert lookout.look().blind == {"broken"}
    assert "broken" in lookout.notes()[0]


def test_a_rare_probe_keeps_its_report() -> None:
    seconds, runs = [0.0], []

    def run() -> Report:
        runs.append(1)
        return Report((condition("rare"),))

    lookout = Lookout([Probe("rare", run, every_s=60)], progress=lambda: seconds[0])
    for moment in (0, 15, 59, 60, 75):
        seconds[0] = moment
        assert set(lookout.look().sightings) == {"rare"}
    assert len(runs) == 2


def test_of_one_condition_seen_by_two_the_worst_counts() -> None:
    look = look_of(NOW, {"a": Report((condition("x", Severity.WARNING),)), "b": Report((condition("x"),))})
    assert look.sightings["x"].condition.severity is Severity.CRITICAL
    assert look.sightings["x"].sources == ("a", "b")


# ── Elasticsearch and the pulse ──────────────────────────────────────────────────────────────────────────────────────


def settings_of(url: str, names: Names) -> Settings:
    return Settings(elasticsearch_url=url, index_prefix=names.prefix)


@pytest.mark.slow
def test_the_look_is_written_down_and_shows(es: Elasticsearch, elasticsearch_url: str, names: Names) -> None:
    settings = settings_of(elasticsearch_url, names)
    found = (condition("scheduler", since=NOW), condition("certificate:a.b", Severity.WARNING))
    client = connect(settings)
    probe = elasticsearch.elasticsearch(settings, client, names, utc_now, lambda: Watched(found, 60, 15))
    assert probe.run() == Report()
    es.indices.refresh(index=names.pulse)
    pulse = read_pulse(es, names, settings, utc_now())
    assert set(pulse.watched) == set(found)
    assert {"scheduler", "certificate:a.b"} <= {one.id for one in conditions(pulse, settings)}
    assert pulse.watched_at
    assert pulse.watch_began_at
    assert 59 <= (pulse.watched_at - pulse.watch_began_at).total_seconds() <= 61
    seen = pipeline.judge(pulse, settings)
    assert not {"scheduler", "certificate:a.b"} & set(ids(seen)), "the watchman does not take its own words for news"


@pytest.mark.slow
def test_a_full_disk_refuses_the_look(es: Elasticsearch, elasticsearch_url: str, names: Names) -> None:
    settings = settings_of(elasticsearch_url, names)
    probe = elasticsearch.elasticsearch(settings, connect(settings), names, utc_now, lambda: Watched((), 1, 15))
    es.indices.put_settings(index=names.pulse, settings={"index.blocks.read_only_allow_delete": True})
    try:
        (full,) = probe.run().conditions
        assert (full.id, full.severity) == ("disk", Severity.CRITICAL)
        assert "flood-stage" in full.sentence
        assert full.next_step.startswith("Free disk space")
    finally:
        es.indices.put_settings(index=names.pulse, settings={"index.blocks.read_only_allow_delete": None})
    assert probe.run() == Report()


@pytest.mark.slow
def test_without_an_index_there_is_nothing_to_say(elasticsearch_url: str) -> None:
    names = Names(prefix="never-set-up-")
    settings = settings_of(elasticsearch_url, names)
    probe = elasticsearch.elasticsearch(settings, connect(settings), names, utc_now, lambda: Watched((), 1, 15))
    assert probe.run() == Report()


def test_elasticsearch_that_is_away() -> None:
    settings = Settings(elasticsearch_url=f"http://127.0.0.1:{free_port()}")
    client, names = connect(settings), Names.of(settings)
    probe = elasticsearch.elasticsearch(settings, client, names, utc_now, lambda: Watched((), 1, 15))
    (away,) = probe.run().conditions
    assert (away.id, away.severity) == ("elasticsearch", Severity.CRITICAL)
    assert "connection refused" in away.sentence
    assert pipeline.pipeline(settings, client, names, utc_now).run().blind


def test_a_mail_server_with_a_probe_of_its_own_is_not_judged_by_the_last_run() -> None:
    settings = Settings()
    down = MailState(down_since=NOW, why="Mail server 127.0.0.1:1025: connection refused")
    other = MailState(down_since=NOW, why="Mail server smtp.example:587: connection refused")
    assert "mail-server" not in ids(pipeline.judge(Pulse(NOW, mail=down), settings))
    assert "mail-server" in ids(pipeline.judge(Pulse(NOW, mail=other), settings))


@pytest.mark.parametrize(
    "mail",
    [
        MailState(
            down_since=NOW - timedelta(minutes=1),
            why="the line broke with 3 recipients in a row, the last time: Mail server 127.0.0.1:1025: no answer",
        ),
        MailState(broken_since=NOW - timedelta(hours=1), why="Mail server 127.0.0.1:1025: no answer within 30 s"),
        MailState(down_since=NOW - timedelta(minutes=1), why="Mail server 127.0.0.1:10250: connection refused"),
    ],
)
def test_what_no_probe_can_see_of_the_mail_server_is_told_by_the_jobs(mail: MailState) -> None:
    (told,) = pipeline.judge(Pulse(NOW, mail=mail), Settings()).conditions
    assert told.id == "mail-server"
    assert mail.why in told.sentence


def test_a_reading_with_gaps_is_doubtful() -> None:
    assert pipeline.judge(Pulse(NOW, storage=Storage(away="gone")), Settings()) == Report(blind=True)
    assert pipeline.judge(Pulse(NOW, unread={"feeds": "closed"}), Settings()).blind


def test_what_was_wrong_is_not_over_because_the_disk_is_full() -> None:
    full = Pulse(NOW, storage=Storage(read_only=("pulse",), takes_notes=False))
    report = pipeline.judge(full, Settings())
    assert (ids(report), report.blind) == (["disk"], True)


def test_a_watchman_that_does_not_look_is_told_by_all_but_itself() -> None:
    pulse = Pulse(NOW, watched_at=NOW - timedelta(minutes=4), watched_until=NOW - timedelta(minutes=2))
    assert [c.id for c in conditions(pulse, Settings())] == ["watchman"]
    assert ids(pipeline.judge(pulse, Settings())) == []


def test_what_was_seen_long_ago_is_not_shown() -> None:
    pulse = as_pulse(Watched((condition("airflow"),), 600, 15), NOW, "here")
    assert [found.id for found in conditions_of(pulse, NOW + timedelta(seconds=110))] == ["airflow"]
    assert conditions_of(pulse, NOW + timedelta(seconds=130)) == ()
    assert conditions_of(None, NOW) == conditions_of(JobPulse(WATCHMAN), NOW) == ()
    rare = as_pulse(Watched((condition("airflow"),), 600, 300), NOW, "here")
    assert conditions_of(rare, NOW + timedelta(minutes=39)), "a watchman that looks rarely is not taken for dead"


# ── Airflow ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def health(**parts: str | None) -> dict[str, object]:
    states = dict.fromkeys(("metadatabase", "scheduler", "dag_processor", "triggerer"), "healthy") | parts
    beats = {name: {f"latest_{name}_heartbeat": "2026-03-01T11:58:00+00:00"} for name in states}
    return {name: {"status": status, **beats[name]} for name, status in states.items()}


def test_airflow_is_not_watched_unless_it_is_named() -> None:
    assert airflow.airflow(Settings()) is None
    assert airflow.airflow(Settings(airflow_url="http://127.0.0.1:8080"))


def test_airflow_says_how_it_is(receiver: Receiver) -> None:
    receiver.body = json.dumps(health()).encode()
    assert airflow.ask(receiver.url) == Report()
    assert receiver.paths == ["/api/v2/monitor/health"]
    receiver.body = json.dumps(health(scheduler="unhealthy")).encode()
    (dead,) = airflow.ask(receiver.url).conditions
    assert (dead.id, dead.severity) == ("scheduler", Severity.CRITICAL)
    assert dead.since == datetime(2026, 3, 1, 11, 58, tzinfo=UTC)
    receiver.body = json.dumps(health(dag_processor=None)).encode()
    assert ids(airflow.ask(receiver.url)) == ["dag-processor"]
    for missed in ("unhealthy", None):
        receiver.body = json.dumps(health(triggerer=missed)).encode()
        (deadlines,) = airflow.ask(receiver.url).conditions
        assert (deadlines.id, deadlines.severity) == ("triggerer", Severity.WARNING)
    receiver.body = json.dumps(health(metadatabase="unhealthy", scheduler=None)).encode()
    broken = airflow.ask(receiver.url)
    assert ids(broken) == ["airflow"]
    assert broken.unknown == {"scheduler", "dag-processor", "triggerer"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"metadatabase": null}', b"null"])
def test_what_is_no_answer_of_airflow_is_told(receiver: Receiver, body: bytes) -> None:
    receiver.body = body
    report = airflow.ask(receiver.url)
    assert ids(report) == ["airflow"]
    assert report.unknown == {"scheduler", "dag-processor", "triggerer"}


def test_airflow_that_is_away_or_redirects(receiver: Receiver) -> None:
    receiver.status = 302
    assert "it answers 302" in airflow.ask(receiver.url).conditions[0].sentence
    assert "connection refused" in airflow.ask(f"http://127.0.0.1:{free_port()}").conditions[0].sentence


# ── mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mail_report(port: int) -> Report:
    (probe,) = (probe for probe in mail.channels(Settings(smtp_port=port)) if probe.name == EMAIL.name)
    return probe.run()


def test_a_mail_server_is_asked_and_takes_no_mail() -> None:
    with open_post_office() as office:
        assert mail_report(office.port) == Report()
        assert (office.connections, office.taken) == (1, [])


def test_a_mail_server_that_is_away_or_refuses_or_dawdles(monkeypatch: pytest.MonkeyPatch) -> None:
    away = mail_report(free_port())
    assert ids(away) == ["mail-server"]
    assert "Connection refused" in away.conditions[0].sentence
    with listening(lambda connection: connection.sendall(b"554 no service\r\n")) as port:
        assert "554 no service" in mail_report(port).conditions[0].sentence
    monkeypatch.setattr(mail, "TRY_S", 1.0)

    def dawdle(connection: socket.socket) -> None:
        for octet in b"220 " + b"x" * 500:
            connection.sendall(bytes([octet]))
            time.sleep(0.1)

    with listening(dawdle) as port:
        began = time.monotonic()
        assert "took more than 1 s" in mail_report(port).conditions[0].sentence
        assert time.monotonic() - began < 5


# ── certificates ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        (timedelta(days=31), None),
        (timedelta(days=30), Severity.WARNING),
        (timedelta(days=4), Severity.WARNING),
        (timedelta(days=3), Severity.CRITICAL),
        (timedelta(seconds=-1), Severity.CRITICAL),
    ],
)
def test_a_certificate_has_its_days(left: timedelta, severity: Severity | None) -> None:
    found = certificates.expiry("a.example", NOW + left, NOW, "mails")
    assert [(c.id, c.severity) for c in found] == ([("certificate:a.example", severity)] if severity else [])
    if left < timedelta(0):
        assert "has expired" in found[0].sentence


@pytest.mark.parametrize(
    ("days", "left", "severity"),
    [
        (90, timedelta(days=23), None),
        (90, timedelta(days=22), Severity.WARNING),
        (6, timedelta(days=2), None),
        (6, timedelta(days=1), Severity.WARNING),
        (6, timedelta(hours=7), Severity.CRITICAL),
        (1_095, timedelta(days=31), None),
        (1_095, timedelta(days=30), Severity.WARNING),
    ],
)
def test_a_certificate_that_is_renewed_often_is_not_always_late(
    days: int, left: timedelta, severity: Severity | None
) -> None:
    begin = NOW + left - timedelta(days=days)
    found = certificates.expiry("a.example", NOW + left, NOW, "mails", begin=begin)
    assert [c.severity for c in found] == ([severity] if severity else [])


def test_the_certificates_in_files_have_their_days_too(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old, new = certificate(tmp_path / "old", NOW + timedelta(days=2)), certificate(tmp_path, NOW + timedelta(days=20))
    settings = Settings(elasticsearch_ca_certs=old, smtp_ca_certs=new, smtp_client_cert=tmp_path / "none")
    of_authority, of_mail, missing = (probe.run() for probe in certificates.files(settings, clock=lambda: NOW))
    assert "connections that go by NEWSWATCH_ELASTICSEARCH_CA_CERTS fail" in of_authority.conditions[0].sentence
    assert [c.severity for c in of_mail.conditions] == [Severity.WARNING]
    assert missing.blind
    both = tmp_path / "both.pem"
    both.write_bytes(old.read_bytes() + new.read_bytes())
    assert max(certificates.in_file(both)) == certificates.in_file(new)[0]


def certificate(folder: Path, until: datetime) -> Path:
    """A certificate that nobody has signed, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + made.public_bytes(serialization.Encoding.PEM)
    path = folder / "server.pem"
    path.write_bytes(pem)
    return path


@pytest.mark.parametrize("days", [-1, 2, 90])
def test_a_servers_certificate_is_read_whoever_signed_it(tmp_path: Path, days: int) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path, until))

    def greet(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True):
            time.sleep(0.1)

    with listening(greet) as port:
        (probe,) = certificates.certificates(Settings(public_url=f"https://127.0.0.1:{port}"))
        assert ids(probe.run()) == (["certificate:127.0.0.1"] if days < 14 else [])


def test_a_server_without_a_certificate_is_noted() -> None:
    (probe,) = certificates.certificates(Settings(public_url=f"https://127.0.0.1:{free_port()}"))
    report = probe.run()
    assert (report.conditions, report.blind) == ((), True)
    assert "can't be read" in report.note
    assert certificates.certificates(Settings()) == ()


# ── disk, files, heartbeat, stack ────────────────────────────────────────────────────────────────────────────────────

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("free", "total", "severity"),
    [
        (40 * GB, 1_000 * GB, None),
        (6 * GB, 1_000 * GB, None),
        (4 * GB, 1_000 * GB, Severity.WARNING),
        (0.9 * GB, 1_000 * GB, Severity.CRITICAL),
        (0.9 * GB, 10 * GB, Severity.WARNING),
        (0.2 * GB, 10 * GB, Severity.CRITICAL),
    ],
)
def test_a_disk_is_too_full_if_little_is_left_of_it(free: float, total: float, severity: Severity | None) -> None:
    found = disk.judge("/data", int(free), int(total)).conditions
    assert [c.severity for c in found] == ([severity] if severity else [])


def test_the_disk_of_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    assert disk.disk(Settings(data_dir=tmp_path / "a" / "b")).run().blind is False


@pytest.mark.slow
def test_a_file_is_read_again_only_after_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in configuration.FILES:
        (tmp_path / name).write_text((Settings().config_dir / name).read_text(encoding="utf-8"), encoding="utf-8")
    probe = configuration.configuration(Settings(config_dir=tmp_path), 60)
    assert probe.run() == Report()
    (tmp_path / "alerts.yaml").write_text("alerts:\n  - id: 1\n    qery: x\n")
    (wrong,) = probe.run().conditions
    assert (wrong.id, wrong.severity) == ("configuration:alerts.yaml", Severity.WARNING)
    assert "alerts.yaml:" in wrong.sentence
    asked: list[Settings] = []

    def ask(settings: Settings) -> Report:
        asked.append(settings)
        return Report()

    monkeypatch.setattr(configuration, "_ask", ask)
    assert probe.run().conditions == (wrong,)
    assert asked == []
    (tmp_path / "alerts.yaml").unlink()
    assert probe.run() == Report()
    assert len(asked) == 1


def test_the_heartbeat_goes_to_its_address(receiver: Receiver) -> None:
    well = [True]
    probe = heartbeat.heartbeat(Settings(heartbeat_url=f"{receiver.url}/ping/key?a=b"), lambda: well[0])  # type: ignore[arg-type]  # a text becomes a secret
    assert probe
    assert probe.run() == Report()
    well[0] = False
    probe.run()
    assert receiver.paths == ["/ping/key?a=b", "/ping/key/fail?a=b"]


def test_a_heartbeat_that_fails_thrice_is_a_condition(receiver: Receiver) -> None:
    probe = heartbeat.heartbeat(Settings(heartbeat_url=f"{receiver.url}/key"), lambda: True)  # type: ignore[arg-type]
    assert probe
    receiver.status = 500
    assert [ids(probe.run()) for _ in range(3)] == [[], [], ["heartbeat"]]
    receiver.status = 200
    assert probe.run() == Report()
    assert heartbeat.heartbeat(Settings(), lambda: True) is None


def test_a_part_that_died_is_the_condition_of_its_silence() -> None:
    trouble = Trouble("scheduler", "Airflow's scheduler", NOW, "status -9", 2, "/logs/s.log", runs=True)
    again = stack.condition_of(trouble)
    assert (again.id, again.severity, again.since) == ("scheduler", Severity.WARNING, NOW)
    assert "2 times (status -9)" in again.sentence
    gone = Trouble("mail", "The mail catcher", NOW, "status 1", 1, "/logs/m.log", runs=False)
    assert (stack.condition_of(gone).id, stack.condition_of(gone).severity) == ("mail-server", Severity.CRITICAL)
