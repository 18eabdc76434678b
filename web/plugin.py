"""What newswatch adds to Airflow: the News page, the answers to the links in mails, a listener for import errors.

Every process of Airflow loads its plugins, each task's too. Only the web server needs the apps, so they are imported
when the first request comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from importlib import import_module
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from dags import import_errors

NEWS = "news"
"""Where the page is under Airflow's address; in its navigation it is `/plugin/news`."""
MAIL_LINKS = "newswatch/mail"
"""The path of `delivery.links.PATH`, which a test holds to it."""
HUB = "newswatch/hub"
"""The path of `jobs.fast.hubs.PATH`, which a test holds to it."""
FEEDS = "newswatch/feeds"
"""The path of `delivery.feeds_out.PATH`, which a test holds to it."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class LateApp:
    """An ASGI app that is made by a function of `web.inside_airflow` when it is first called."""

    def __init__(self, maker: str) -> None:
        self._maker = maker

    @cached_property
    def app(self) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """The app itself."""
        made: Callable[[Scope, Receive, Send], Awaitable[None]] = getattr(
            import_module("web.inside_airflow"), self._maker
        )()
        return made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.app(scope, receive, send)


class NewswatchPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow is not followed by mypy
    """The News page in Airflow's navigation, the signed links of the mails, and who notices unreadable DAG files."""

    name = "newswatch"
    listeners = [import_errors]  # noqa: RUF012
    fastapi_apps = [  # noqa: RUF012
        {"app": LateApp("news"), "url_prefix": f"/{NEWS}", "name": "newswatch news page"},
        {"app": LateApp("mail_links"), "url_prefix": f"/{MAIL_LINKS}", "name": "newswatch mail links"},
        {"app": LateApp("feeds_out"), "url_prefix": f"/{FEEDS}", "name": "newswatch feeds"},
        {"app": LateApp("hubs"), "url_prefix": f"/{HUB}", "name": "newswatch hubs"},
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "News",
            "href": f"{NEWS}/situation",
            "destination": "nav",
            "url_route": NEWS,
            "nav_top_level": True,
            "icon": f"/{NEWS}/static/nav.svg",
            "icon_dark_mode": f"/{NEWS}/static/nav-dark.svg",
        }
    ]
