"""The web apps as they stand in Airflow's web server: with its users and their rights."""

import time

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails, PoolDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag

from dags.connections import airflow_settings
from jobs.context import Context, open_context
from web import app, hub, links
from web.feeds_out.app import create_app as create_feeds
from web.security import Access, Role
from web.unlogged import KeyUnlogged, Unlogged

_SHOWN_BY, _CHANGED_BY, _POOL = "poll_feeds", "match_alerts", "default_pool"
"""Who may see the DAG that brings the articles is an analyst; who may edit the one that mails, an editor; who may also
edit pools, an operator. With the simple auth manager these are viewer, user and op; with FAB Viewer, User and Op.

Every auth manager of Airflow knows rights on DAGs and pools. Rights of a kind of our own would exist in some of them
only, and the simple one would grant them to every viewer.
"""


_LOOK_AGAIN_S = 60
"""Maximum age of the Airflow connections that the page uses; each task reads them again."""


class _Opened:
    """The context of both apps: opened at the first request, not when Airflow starts, as Elasticsearch may come later.

    Opened again when Airflow's connections have changed.
    """

    def __init__(self) -> None:
        self._context: Context | None = None
        self._looked = 0.0

    def __call__(self) -> Context:
        now = time.monotonic()
        if self._context is None or now - self._looked > _LOOK_AGAIN_S:
            settings = airflow_settings()
            if self._context is None or self._context.settings != settings:
                self._context = open_context(settings, check_channels=False)
            self._looked = now
        return self._context


_context = _Opened()


def _user_name(user: GetUserDep) -> str:
    return str(user.get_name())


def _address(user: GetUserDep) -> str:
    """The user's mail address, where the auth manager knows one: FAB keeps it, others log in by it."""
    known = str(getattr(user, "email", None) or user.get_name())
    return known if "@" in known and not known.endswith(_NO_ADDRESS) else ""


_NO_ADDRESS = "@email.notfound"
"""The end of what FAB puts in the place of an address that the directory doesn't have."""


def _role(user: GetUserDep) -> Role:
    manager = get_auth_manager()
    if not manager.is_authorized_dag(method="PUT", details=DagDetails(id=_CHANGED_BY), user=user):
        return Role.ANALYST
    operates = manager.is_authorized_pool(method="PUT", details=PoolDetails(name=_POOL), user=user)
    return Role.OPERATOR if operates else Role.EDITOR


def _login_url(back_to: str) -> str:
    return str(get_auth_manager().get_url_login(next_url=back_to))


def access() -> Access:
    """Airflow's own log-in and roles."""
    return Access(
        read=requires_access_dag("GET", param_dag_id=_SHOWN_BY),
        role=_role,
        user_name=_user_name,
        address=_address,
        login_url=_login_url,
    )


def news() -> KeyUnlogged:
    """The News page behind Airflow's own log-in and roles."""
    return KeyUnlogged(app.create_app(_context, access()))


def mail_links() -> Unlogged:
    """The links in mails: their signature alone admits."""
    return Unlogged(links.create_app(_context))


def feeds_out() -> Unlogged:
    """The feeds for readers' programs: their secret address alone admits."""
    return Unlogged(create_feeds(_context))


def hubs() -> Unlogged:
    """What hubs push: the secret address and signature alone admit."""
    return Unlogged(hub.create_app(_context))
