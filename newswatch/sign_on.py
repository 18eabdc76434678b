"""How users log in where there are many: the variables `SSO_…`, and what Airflow's FAB auth manager takes them as.

Only Airflow's web server reads them. Groups of the identity provider or directory become Airflow's roles, which are
what `web.inside_airflow` goes by: Viewer is an analyst, User an editor, Op an operator. They are read at every log-in;
whoever is in none of the groups has no rights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationError, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from newswatch.config import did_you_mean
from newswatch.environment import EnvironmentSettings
from newswatch.setting_faults import Finding, is_here
from newswatch.wording import worded

PREFIX: Final = "SSO_"
PROVIDER: Final = "sso"
"""The provider's name, which ends the address that it sends users back to: …/auth/oauth-authorized/sso."""
MOST_CHARS: Final = 250
"""Of a name or an address that a provider tells; Airflow's database has room for 256."""
SECONDS: Final = 10
"""For a provider or directory to answer."""
_ROLES: Final = {"analysts": "Viewer", "editors": "User", "operators": "Op"}
_AUTH_LDAP, _AUTH_OAUTH = 2, 4
"""Flask-AppBuilder's numbers for its kinds of log-in."""


def _groups(value: Any) -> Any:
    """Names with semicolons between: those of a directory contain commas."""
    return tuple(filter(None, map(str.strip, value.split(";")))) if isinstance(value, str) else value


def _file(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError("there is no such file on this machine. Name the certificate authority's file, in PEM")
    return path


def _filter(text: str) -> str:
    if text and not (text.startswith("(") and text.endswith(")") and text.count("(") == text.count(")")):
        raise ValueError("it must be an LDAP filter in brackets, such as (objectClass=person)")
    return text


Groups = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_groups)]
OrNone = BeforeValidator(lambda value: value or None)


class SignOn(EnvironmentSettings):
    """What is known of the identity provider or directory."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    kind: Literal["oidc", "ldap"]
    """OpenID Connect, or a directory."""
    analysts: Groups = ()
    """Groups whose members read, and keep saved searches of their own."""
    editors: Groups = ()
    """Groups whose members also change every saved search, the feeds and what is mailed."""
    operators: Groups = ()
    """Groups whose members also run the installation."""
    ca_certs: Annotated[Path | None, OrNone, AfterValidator(_file)] = None
    """File with the certificate authority of the provider or directory, if the system does not know it."""

    issuer: str = ""
    """The provider's issuer, below which /.well-known/openid-configuration is found."""
    client_id: str = ""
    client_secret: Annotated[SecretStr | None, OrNone] = None
    scopes: str = "openid profile email"
    user_claim: str = "preferred_username"
    """The claim that names the user, by whom saved searches are kept: one that users can't change themselves."""
    groups_claim: str = "groups"

    ldap_url: str = ""
    """ldaps://host, or ldap://host, which is then encrypted by STARTTLS."""
    ldap_search: str = ""
    """Where users are looked for: ou=people,dc=ministry,dc=example."""
    ldap_filter: Annotated[str, AfterValidator(_filter)] = ""
    ldap_user_field: str = "uid"
    """In Active Directory: sAMAccountName."""
    ldap_group_field: str = "memberOf"
    ldap_bind_dn: str = ""
    """Who looks users up. Empty: the user himself, by `ldap_user_dn`."""
    ldap_bind_password: Annotated[SecretStr | None, OrNone] = None
    ldap_user_dn: str = ""
    """How a user's name becomes what he binds as: uid=%s,ou=people,dc=ministry,dc=example or %s@ministry.example."""

    @model_validator(mode="after")
    def _agree(self) -> SignOn:
        if faults := [*self._faults()]:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> list[str]:
        needed = {
            "oidc": {"issuer", "client_id", "client_secret"},
            "ldap": {"ldap_url", "ldap_search"},
        }[self.kind]
        faults = [
            f"{PREFIX}{name.upper()} is needed for {self.kind}" for name in sorted(needed) if not getattr(self, name)
        ]
        if not (self.analysts or self.editors or self.operators):
            faults.append(f"{PREFIX}OPERATORS: without a group for any role nobody may do anything")
        faults += _twice({name: getattr(self, name) for name in _ROLES})
        return faults + (self._of_provider() if self.kind == "oidc" else self._of_directory())

    def _of_provider(self) -> list[str]:
        parts = urlsplit(self.issuer)
        if self.issuer and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            return [f"{PREFIX}ISSUER must be an address, such as https://login.ministry.example/realms/news"]
        if parts.scheme == "http" and not is_here(parts.hostname):
            return [f"{PREFIX}ISSUER: whoever sits on the way could log in as anybody. Write https://"]
        return [] if "openid" in self.scopes.split() else [f"{PREFIX}SCOPES must contain openid"]

    def _of_directory(self) -> list[str]:
        faults = []
        if self.ldap_url and not re.fullmatch(r"ldaps?://[^/\s@?]+/?", self.ldap_url):
            faults.append(f"{PREFIX}LDAP_URL must be ldaps://host or ldap://host, with a port if it is another one")
        if bool(self.ldap_bind_dn) != bool(self.ldap_bind_password):
            faults.append(f"{PREFIX}LDAP_BIND_DN and {PREFIX}LDAP_BIND_PASSWORD go together: set the other one too")
        if not self.ldap_bind_dn and not self.ldap_user_dn:
            faults.append(
                f"{PREFIX}LDAP_USER_DN: say how a user binds, or set {PREFIX}LDAP_BIND_DN, who looks users up"
            )
        if self.ldap_user_dn and self.ldap_user_dn.count("%s") != 1:
            faults.append(f"{PREFIX}LDAP_USER_DN must contain %s once, where the user's name goes")
        return faults

    @classmethod
    def read(cls) -> SignOn:
        """As the environment has it.

        Raises:
            ValidationError: something is wrong; the message names the variables and no secret.
        """
        return cls()  # type: ignore[call-arg]  # from the environment

    def flask(self, base_url: str = "") -> dict[str, Any]:
        """The settings of Flask-AppBuilder, for an Airflow at this address."""
        specific = self._oidc() if self.kind == "oidc" else self._ldap()
        roles = {self.key(group): [role] for name, role in _ROLES.items() for group in getattr(self, name)}
        return {
            "AUTH_USER_REGISTRATION": True,
            # Who is in no group: the role without rights.
            "AUTH_USER_REGISTRATION_ROLE": "Public",
            "AUTH_ROLES_SYNC_AT_LOGIN": True,
            "AUTH_ROLES_MAPPING": roles,
            # Airflow's own option for it is off, whatever the address.
            "SESSION_COOKIE_SECURE": base_url.startswith("https:"),
            **specific,
        }

    def key(self, group: str) -> str:
        """A group's name as it is compared: a directory's are the same in whatever case and spacing."""
        return re.sub(r"\s*([,=])\s*", r"\1", group.casefold()) if self.kind == "ldap" else group

    def _oidc(self) -> dict[str, Any]:
        assert self.client_secret is not None
        requests_kwargs = {"verify": str(self.ca_certs)} if self.ca_certs else {}
        remote = {
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "server_metadata_url": f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            "client_kwargs": {
                "scope": self.scopes,
                "code_challenge_method": "S256",
                "default_timeout": SECONDS,
                **requests_kwargs,
            },
        }
        provider = {"name": PROVIDER, "icon": "fa-key", "token_key": "access_token", "remote_app": remote}
        return {"AUTH_TYPE": _AUTH_OAUTH, "OAUTH_PROVIDERS": [provider]}

    def _ldap(self) -> dict[str, Any]:
        host = urlsplit(self.ldap_url)
        secret = self.ldap_bind_password
        return {
            "AUTH_TYPE": _AUTH_LDAP,
            "AUTH_LDAP_SERVER": self.ldap_url.rstrip("/"),
            "AUTH_LDAP_USE_TLS": host.scheme == "ldap" and not is_here(host.hostname),
            "AUTH_LDAP_TLS_DEMAND": True,
            "AUTH_LDAP_TLS_CACERTFILE": str(self.ca_certs or ""),
            "AUTH_LDAP_SEARCH": self.ldap_search,
            "AUTH_LDAP_SEARCH_FILTER": self.ldap_filter,
            "AUTH_LDAP_UID_FIELD": self.ldap_user_field,
            "AUTH_LDAP_GROUP_FIELD": self.ldap_group_field,
            "AUTH_LDAP_BIND_USER": self.ldap_bind_dn,
            "AUTH_LDAP_BIND_PASSWORD": secret.get_secret_value() if secret else "",
            "AUTH_LDAP_USERNAME_FORMAT": self.ldap_user_dn,
        }


FAB: Final = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


def sign_on_faults(dotenv: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is wrong with the variables SSO_… of a .env. Whether their files are there only the containers see. Pure."""
    stated = {name: value for name, value in dotenv.items() if name.startswith(PREFIX)}
    known = {PREFIX + name.upper(): name for name in SignOn.model_fields}
    unknown = [
        Finding((name,), f"nobody reads it{did_you_mean(name, known)}") for name in sorted(stated.keys() - known.keys())
    ]
    manager, kind = dotenv.get("AIRFLOW_AUTH_MANAGER", ""), stated.get(f"{PREFIX}KIND", "")
    if not kind:
        others = tuple(sorted(name for name, value in stated.items() if value))
        idle = "they have no effect without SSO_KIND: set it to oidc or ldap, or take them out"
        needless = f"it takes its users from the variables {PREFIX}…: set {PREFIX}KIND, or take it out"
        lone = [Finding(("AIRFLOW_AUTH_MANAGER",), needless)] if manager == FAB else []
        return (*unknown, *lone, *([Finding(others, idle, is_error=False)] if others else []))
    if manager != FAB:
        unknown.append(Finding(("AIRFLOW_AUTH_MANAGER", f"{PREFIX}KIND"), f"log-ins go by SSO only with {FAB}"))
    given = {known[name]: value for name, value in stated.items() if name in known and known[name] != "ca_certs"}
    try:
        SignOn.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = f"{PREFIX}{str(fault['loc'][0]).upper()}" if fault["loc"] else f"{PREFIX}KIND"
            unknown.append(Finding((name,), worded(fault)))
    return tuple(unknown)


def _twice(groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The higher role would win in silence."""
    pairs = [(group, name) for name, members in groups.items() for group in members]
    first = dict(reversed(pairs))
    return [
        f"{group} is in {PREFIX}{first[group].upper()} and {PREFIX}{name.upper()}: keep one of them"
        for group, name in pairs
        if first[group] != name
    ]


def user_info(sign_on: SignOn, claims: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What Flask-AppBuilder keeps of a user: `claims` of the checked ID token, and what the provider told besides.

    Empty if the two are about different users (OpenID Connect Core 5.3.2), or name none.
    """
    if told and told.get("sub") != claims.get("sub"):
        return {}
    known = {**told, **claims}
    name, groups = known.get(sign_on.user_claim), known.get(sign_on.groups_claim) or []
    if not isinstance(name, str) or not name.strip() or not claims.get("sub"):
        return {}
    if len(name) > MOST_CHARS or not name.isprintable():
        return {}
    # Some providers (Cognito) say it as a text.
    address = known.get("email") if known.get("email_verified", True) in (True, "true") else ""
    return {
        "username": name.strip(),
        "first_name": _text(known.get("given_name")),
        "last_name": _text(known.get("family_name")),
        "email": _text(address),
        "role_keys": [groups] if isinstance(groups, str) else [group for group in groups if isinstance(group, str)],
    }


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) and len(value) <= MOST_CHARS else ""
