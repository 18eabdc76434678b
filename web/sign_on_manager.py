"""Airflow's FAB auth manager, with what it leaves open for `newswatch.sign_on`."""

from __future__ import annotations

from typing import Any

from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask import current_app

from newswatch.sign_on import PROVIDER, SignOn, user_info

SETTING = "NEWSWATCH_SIGN_ON"


class SignOnManager(FabAirflowSecurityManagerOverride):  # type: ignore[misc]  # Airflow is not followed by mypy
    """Logs users in by an identity provider or a directory."""

    @property
    def _sign_on(self) -> SignOn:
        sign_on: SignOn = current_app.config[SETTING]
        return sign_on

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - FAB's
        """The user that the provider has told; the ID token was checked when it came."""
        claims = resp.get("userinfo") or {}
        remote = self.oauth_remotes[PROVIDER]
        known = remote.load_server_metadata().get("userinfo_endpoint")
        # Without its expiry: a token of a minute, as Keycloak gives by default, would be taken for expired.
        token = {name: resp[name] for name in ("access_token", "token_type") if name in resp}
        return user_info(self._sign_on, claims, remote.userinfo(token=token) if known else {})

    def auth_user_ldap(self, username: str, password: str, rotate_session_id: bool = True) -> Any:
        """The user, if the directory takes his password.

        A directory doesn't tell "Ann " from "ann"; each would be a user of his own here.
        """
        if not password:
            return None  # a directory takes a bind without one for an anonymous one, which succeeds (RFC 4513, 5.1.2)
        return super().auth_user_ldap((username or "").strip().casefold(), password, rotate_session_id)

    def get_roles_from_keys(self, role_keys: list[str]) -> Any:
        """The roles of groups."""
        return super().get_roles_from_keys([self._sign_on.key(group) for group in role_keys])
