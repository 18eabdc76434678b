"""The variables of a log-in for many, as a user writes them. Log-ins on real servers are in `tests.web.sso`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from newswatch.sign_on import SignOn, user_info

OIDC = {
    "SSO_KIND": "oidc",
    "SSO_ISSUER": "https://login.ministry.example/realms/news",
    "SSO_CLIENT_ID": "newswatch",
    "SSO_CLIENT_SECRET": "hidden",
    "SSO_OPERATORS": "news-operators",
}
LDAP = {
    "SSO_KIND": "ldap",
    "SSO_LDAP_URL": "ldap://ldap.ministry.example",
    "SSO_LDAP_SEARCH": "ou=people,dc=ministry,dc=example",
    "SSO_LDAP_BIND_DN": "cn=reader,dc=ministry,dc=example",
    "SSO_LDAP_BIND_PASSWORD": "hidden",
    "SSO_ANALYSTS": "CN=Readers, OU=Groups,DC=ministry,DC=example; cn=press,dc=x",
}


def read(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> SignOn:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return SignOn.read()


def test_groups_become_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    flask = read(monkeypatch, OIDC | {"SSO_EDITORS": "a;b"}).flask()
    assert flask["AUTH_ROLES_MAPPING"] == {"a": ["User"], "b": ["User"], "news-operators": ["Op"]}
    assert flask["AUTH_USER_REGISTRATION_ROLE"] == "Public"
    (remote,) = (provider["remote_app"] for provider in flask["OAUTH_PROVIDERS"])
    assert remote["server_metadata_url"] == f"{OIDC['SSO_ISSUER']}/.well-known/openid-configuration"


def test_a_directory_is_asked_encrypted_and_its_names_compared_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_on = read(monkeypatch, LDAP)
    flask = sign_on.flask()
    assert [sign_on.flask(f"{scheme}://news.example")["SESSION_COOKIE_SECURE"] for scheme in ("http", "https")] == [
        False,
        True,
    ]
    assert flask["AUTH_LDAP_USE_TLS"]
    assert flask["AUTH_LDAP_TLS_DEMAND"]
    assert flask["AUTH_ROLES_MAPPING"] == {
        "cn=readers,ou=groups,dc=ministry,dc=example": ["Viewer"],
        "cn=press,dc=x": ["Viewer"],
    }


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (OIDC | {"SSO_CLIENT_SECRET": ""}, "SSO_CLIENT_SECRET is needed for oidc"),
        (OIDC | {"SSO_OPERATORS": ""}, "nobody may do anything"),
        (OIDC | {"SSO_EDITORS": "news-operators"}, "news-operators is in SSO_EDITORS and SSO_OPERATORS"),
        (OIDC | {"SSO_ISSUER": "http://login.ministry.example"}, "Write https://"),
        (OIDC | {"SSO_ISSUER": "login.ministry.example"}, "SSO_ISSUER must be an address"),
        (OIDC | {"SSO_SCOPES": "profile"}, "must contain openid"),
        (OIDC | {"SSO_CA_CERTS": "/nowhere.pem"}, "there is no such file"),
        (LDAP | {"SSO_LDAP_BIND_PASSWORD": ""}, "go together"),
        (LDAP | {"SSO_LDAP_BIND_DN": "", "SSO_LDAP_BIND_PASSWORD": ""}, "SSO_LDAP_USER_DN: say how a user binds"),
        (LDAP | {"SSO_LDAP_URL": "ldap.ministry.example"}, "SSO_LDAP_URL must be"),
        (LDAP | {"SSO_LDAP_URL": "ldaps://user:pw@ldap.ministry.example"}, "SSO_LDAP_URL must be"),
        (LDAP | {"SSO_LDAP_FILTER": "objectClass=person"}, "in brackets"),
        (LDAP | {"SSO_KIND": "saml"}, "'oidc' or 'ldap'"),
    ],
)
def test_what_is_wrong_is_told_without_secrets(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        read(monkeypatch, variables)
    assert told in str(raised.value)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("claims", "told", "name", "address", "groups"),
    [
        ({"sub": "1", "preferred_username": " ann "}, {"sub": "1", "groups": ["a", 1]}, "ann", "", ["a"]),
        ({"sub": "1", "preferred_username": "ann", "groups": "a"}, {}, "ann", "", ["a"]),
        ({"sub": "1", "preferred_username": "ann", "email": "a@b.c"}, {}, "ann", "a@b.c", []),
        ({"sub": "1", "preferred_username": "ann", "email": "a@b.c", "email_verified": False}, {}, "ann", "", []),
        ({"sub": "1", "preferred_username": "ann", "email": "a@b.c", "email_verified": "false"}, {}, "ann", "", []),
        ({"sub": "1", "preferred_username": "ann", "email": "a@b.c", "email_verified": "true"}, {}, "ann", "a@b.c", []),
        ({"sub": "1", "preferred_username": "ann"}, {"sub": "2", "groups": ["operators"]}, None, None, None),
        ({"sub": "1"}, {}, None, None, None),
        ({"sub": "1", "preferred_username": "ann\u202e\n"}, {}, None, None, None),
        ({"sub": "1", "preferred_username": "a" * 251}, {}, None, None, None),
        ({"sub": "1", "preferred_username": "ann", "email": ["a@b.c"], "groups": {"a": 1}}, {}, "ann", "", ["a"]),
        ({"preferred_username": "ann"}, {}, None, None, None),
    ],
)
def test_who_a_provider_says_it_is(
    monkeypatch: pytest.MonkeyPatch, claims: Any, told: Any, name: str | None, address: str | None, groups: Any
) -> None:
    info = user_info(read(monkeypatch, OIDC), claims, told)
    assert (info.get("username"), info.get("email"), info.get("role_keys")) == (name, address, groups)
