"""Settings, and handing them to another process."""

from __future__ import annotations

import traceback

import pytest
from pydantic import SecretStr, ValidationError

from newswatch.settings import Settings


def test_another_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        elasticsearch_url="http://127.0.0.1:9999",
        elasticsearch_password=SecretStr("s€cret"),
        fetch_allow_hosts=("127.0.0.1:80", "localhost:81"),
        number_of_replicas=2,
        kibana_url=None,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_defaults_are_left_to_the_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEWSWATCH_VECTORS", raising=False)
    assert set(Settings(smtp_port=26).environment()) == {"NEWSWATCH_SMTP_PORT"}


# ── users and passwords in addresses ─────────────────────────────────────────────────────────────────────────────────

SECRET = "Gehe1m"
WITH_LOGIN: dict[str, dict[str, object]] = {
    "elasticsearch": {"elasticsearch_url": f"https://elastic:{SECRET}@es.example:9243"},
    "several": {"elasticsearch_url": f"https://elastic:{SECRET}@a.example:9200, https://b.example:9200"},
    "percent": {"elasticsearch_url": "https://elastic:Gehe1m%2F%40%25@es.example:9243"},
    "comma": {"elasticsearch_url": f"https://elastic:{SECRET},x@es.example,https://elastic:{SECRET},x@b.example"},
    "at": {"elasticsearch_url": f"https://elastic:{SECRET}@x@es.example"},
    "no user": {"elasticsearch_url": f"https://:{SECRET}@es.example"},
    "path": {"elasticsearch_url": f"https://elastic:{SECRET}@proxy.example/es"},
    "ipv6": {"elasticsearch_url": f"http://elastic:{SECRET}@[::1]:9200"},
    "blanks around": {"elasticsearch_url": f"  https://elastic:{SECRET}@es.example:9243\n"},
    "smtp": {"smtp_host": f"smtp://me:{SECRET}@mail.example:587"},
    "smtps": {"smtp_host": f"smtps://me:{SECRET}@mail.example"},
    "smtp without scheme": {"smtp_host": f"me:{SECRET}@mail.example"},
    "kibana": {"kibana_url": f"https://ann:{SECRET}@kibana.example/s/news"},
    "public": {"public_url": f"https://ann:{SECRET}@news.example/"},
    "contact": {"contact": f"https://ann:{SECRET}@news.example/contact"},
}
WRONG: dict[str, tuple[dict[str, object], str]] = {
    "slash": ({"elasticsearch_url": f"https://elastic:{SECRET}/x@es.example:9243"}, "percent-encoded"),
    "slash and digits": ({"elasticsearch_url": f"https://elastic:12/{SECRET}@es.example:9243"}, "@ after its host"),
    "hash": ({"elasticsearch_url": f"https://elastic:{SECRET}#x@es.example:9243"}, "percent-encoded"),
    "question mark": ({"elasticsearch_url": f"https://elastic:{SECRET}?x@es.example:9243"}, "percent-encoded"),
    "blank": ({"elasticsearch_url": f"https://elastic:{SECRET} x@es.example:9243"}, "blank"),
    "newline": ({"elasticsearch_url": f"https://elastic:{SECRET}\nx@es.example:9243"}, "blank or a control"),
    "no host": ({"elasticsearch_url": f"https://elastic:{SECRET}"}, "no host"),
    "bracket": ({"elasticsearch_url": f"https://elastic:{SECRET}@[es.example"}, "can't be read"),
    "wide slash": ({"elasticsearch_url": f"https://elastic:{SECRET}@es.example\uff0fx"}, "can't be read"),
    "not UTF-8": ({"elasticsearch_url": f"https://elastic:{SECRET}%ff@es.example"}, "not in UTF-8"),
    "another scheme": ({"elasticsearch_url": f"ftp://elastic:{SECRET}@es.example"}, "http:// or https://"),
    "key in the query": ({"elasticsearch_url": f"https://es.example/?api_key={SECRET}"}, "no [?]"),
    "second": ({"elasticsearch_url": f"http://a:9200,ftp://e:{SECRET}@b:9200"}, "address 2 of 2: an address begins"),
    "third": ({"elasticsearch_url": "http://a:9200,http://b,http://c:x"}, "address 3 of 3: it has no host"),
    "shown": ({"elasticsearch_url": "http://a:9200,ftp://b:9200"}, r"address 2 of 2 \(ftp://b:9200\)"),
    "second without scheme": ({"elasticsearch_url": "http://a:9200,b:9200"}, "each address in a list begins"),
    "two users": ({"elasticsearch_url": f"http://e:{SECRET}@a,http://f:{SECRET}@b"}, "different users"),
    "nothing": ({"elasticsearch_url": " , "}, "no address"),
    "port": ({"elasticsearch_url": "http://a:0"}, "1 to 65535"),
    "another user": (
        {"elasticsearch_url": f"https://elastic:{SECRET}@es.example", "elasticsearch_username": "kim"},
        "its username differs from NEWSWATCH_ELASTICSEARCH_USERNAME",
    ),
    "another password": (
        {"elasticsearch_url": f"https://elastic:{SECRET}@es.example", "elasticsearch_password": SecretStr("Gehe1m2")},
        "its password differs from NEWSWATCH_ELASTICSEARCH_PASSWORD",
    ),
    "a key too": (
        {"elasticsearch_url": f"https://elastic:{SECRET}@es.example", "elasticsearch_api_key": SecretStr("Gehe1m2")},
        "an API key is set too",
    ),
    "mail: another port": ({"smtp_host": f"smtp://me:{SECRET}@m.example:25", "smtp_port": 26}, "NEWSWATCH_SMTP_PORT"),
    "mail: no TLS": ({"smtp_host": f"smtps://me:{SECRET}@m.example", "smtp_security": "none"}, "SMTP_SECURITY"),
    "mail: slash": ({"smtp_host": f"smtp://me:{SECRET}/x@m.example"}, "percent-encoded"),
    "mail: slash without scheme": ({"smtp_host": f"me:{SECRET}/x@m.example"}, "percent-encoded"),
    "mail: another scheme": ({"smtp_host": f"http://me:{SECRET}@m.example"}, "smtp://"),
    "mail: not even a host": ({"smtp_host": "mail example"}, "neither a host"),
    "kibana": ({"kibana_url": f"kibana.example/{SECRET}@"}, "http:// or https://"),
    "public": ({"public_url": f"https://ann:{SECRET}/@news.example"}, "percent-encoded"),
}


@pytest.mark.parametrize("stated", WITH_LOGIN.values(), ids=WITH_LOGIN)
def test_a_password_leaves_the_address(stated: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(**stated)  # type: ignore[arg-type]
    shown = {name: value for name, value in settings.model_dump().items() if name != "elasticsearch_password"}
    for text in (repr(settings), str(settings), str(shown), settings.model_dump_json(), caplog.text):
        assert SECRET not in text
    assert all("@" not in str(getattr(settings, name)) for name in stated)


def test_a_password_in_the_address_still_logs_in() -> None:
    settings = Settings(elasticsearch_url="https://el%40stic:Gehe1m%2F%40%25@a.example:9243,https://b.example/es")
    assert settings.elasticsearch_url == "https://a.example:9243,https://b.example/es"
    assert settings.elasticsearch_urls == ("https://a.example:9243", "https://b.example/es")
    assert settings.elasticsearch_username == "el@stic"
    assert settings.elasticsearch_password == SecretStr("Gehe1m/@%")


def test_another_process_gets_what_stood_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        elasticsearch_url=f"https://elastic:{SECRET}@a:9200,https://b:9200", smtp_host=f"smtps://me:{SECRET}@m"
    )
    said = settings.environment()
    assert said["NEWSWATCH_ELASTICSEARCH_PASSWORD"] == said["NEWSWATCH_SMTP_PASSWORD"] == SECRET
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_the_mail_server_may_be_an_address() -> None:
    settings = Settings(smtp_host=f"smtps://me%40x:{SECRET}@mail.example")
    assert (settings.smtp_host, settings.smtp_port, settings.smtp_security) == ("mail.example", 465, "tls")
    assert (settings.smtp_username, settings.smtp_password) == ("me@x", SecretStr(SECRET))
    plain = Settings(smtp_host="mail.example:587", smtp_security="starttls")
    assert (plain.smtp_host, plain.smtp_port, plain.smtp_security) == ("mail.example", 587, "starttls")
    assert [Settings(smtp_host=host).smtp_host for host in ("::1", "[::1]", "[::1]:25", "127.0.0.1")] == [
        *["::1"] * 3,
        "127.0.0.1",
    ]


def test_the_same_said_twice_is_no_conflict() -> None:
    stated = {"elasticsearch_username": "elastic", "elasticsearch_password": SECRET}
    settings = Settings(elasticsearch_url=f"https://elastic:{SECRET}@es.example", **stated)  # type: ignore[arg-type]
    assert settings.elasticsearch_username == "elastic"
    named = Settings(elasticsearch_url="https://elastic@es.example", elasticsearch_password=SecretStr(SECRET))
    assert (named.elasticsearch_username, named.elasticsearch_url) == ("elastic", "https://es.example")


def test_what_is_left_out_of_a_link_is_told(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(kibana_url=f"https://ann:{SECRET}@kibana.example/s/news")
    assert settings.kibana_url == "https://kibana.example/s/news"
    assert "NEWSWATCH_KIBANA_URL: its user and password are removed" in caplog.text


@pytest.mark.parametrize(("stated", "why"), WRONG.values(), ids=WRONG)
def test_a_wrong_address_is_told_and_no_password_with_it(stated: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        Settings(**stated)  # type: ignore[arg-type]
    (fault,) = caught.value.errors()
    assert fault["loc"] == (next(iter(stated)),)
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in f"{caught.value!r} {told} {fault['msg']} {fault['input']}"


def test_what_is_wrong_elsewhere_shows_no_password_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(elasticsearch_url=f"https://elastic:{SECRET}@es.example", smtp_port="no number")  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


def test_a_password_of_the_wrong_type_is_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(smtp_password=[SECRET])  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


# ── settings that go into a header ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["contact", "mail_name"])
@pytest.mark.parametrize("text", ["a\r\nBcc: x@y.example", "a\nb", "a\x00b", "a\u2028b", "a\u202eb", "x" * 201])
def test_what_goes_into_a_header_is_one_line(field: str, text: str) -> None:
    with pytest.raises(ValidationError, match="one line of at most 200 printable characters"):
        Settings.model_validate({field: text})


def test_a_name_in_any_script_goes_into_a_header() -> None:
    assert Settings(mail_name=" Новости НАТО – 北約新聞 ").mail_name == "Новости НАТО – 北約新聞"
