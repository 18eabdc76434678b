"""A process that does what the job `match` does, and dies or stands still at the step it is told to.

Run as a program it reads orders from standard input, one JSON object a line, forks for each, and answers with what
became of the fork. A step is one request to Elasticsearch, one SMTP command, one POST to a webhook, or the making of a
PDF; the fork dies or stops before it. One that stopped goes on at the order `{"resume": PID}`.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sys
import threading
import traceback
from datetime import datetime
from importlib import import_module
from typing import Any

import elastic_transport
from babel import Locale
from elasticsearch import Elasticsearch
from pydantic import SecretStr

from alerts.match import match_batch
from delivery import composing, plain_text
from delivery.briefing_pdf import briefing_pdf
from delivery.channels import email
from delivery.channels.outgoing import Outgoing
from delivery.deliver import deliver
from delivery.mailbox import Mailbox
from delivery.outbox import Outbox
from newswatch.alert import SavedSearch
from newswatch.article import Article
from newswatch.batch import Batch
from newswatch.delivery import Delivery, Outcome
from newswatch.settings import Settings
from newswatch.subscriber import Address
from store.elastic import documents
from store.elastic.documents import load
from store.names import Names

SMTP_STEPS = ("connect", "mail", "rcpt", "data", "rset")


def work(order: dict[str, Any]) -> None:
    """Match the batches, owe, deliver; as the job does."""
    settings = Settings(
        smtp_port=order["smtp_port"],
        mail_from="newswatch@news.example",
        secret_key=SecretStr("for tests"),
        smtp_timeout_s=5,
        mail_group_s=60,
        mail_senders=order["lines"],
        channel_allow_hosts=tuple(order["hooks"]),
    )
    names, now = Names(order["prefix"]), datetime.fromisoformat(order["now"])
    searches = [load(SavedSearch, {"query": ""} | item) for item in order["searches"]]
    with Elasticsearch(order["url"], request_timeout=60) as es:
        for batch in order["batches"]:
            report = match_batch(es, names, load(Batch, batch), searches)
            Outbox(es, names).enqueue(report.matches, searches, now)
        deliver(es, names, settings, now=now)


def end_before(step: int, by: signal.Signals) -> None:
    """Arm this process: the signal comes without a word before its `step`-th step, counted from 1. 0: never."""
    lock, taken = threading.Lock(), [0]

    def count(original: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            with lock:
                taken[0] += 1
                if taken[0] == step:
                    os.kill(os.getpid(), by)
            return original(*args, **kwargs)

        return counted

    elastic_transport.Transport.perform_request = count(  # type: ignore[method-assign]
        elastic_transport.Transport.perform_request
    )
    vars(composing)["briefing_pdf"] = count(briefing_pdf)
    Outgoing.send = count(Outgoing.send)  # type: ignore[method-assign]
    for name in SMTP_STEPS:
        setattr(smtplib.SMTP, name, count(getattr(smtplib.SMTP, name)))


def obey(order: dict[str, Any]) -> int:
    """Do the work in a fork. 0: done; -9: died as told; 1: an error; its PID: it stands still as told."""
    child = order.get("resume") or os.fork()
    if child == 0:
        try:
            step = order["step"]
            end_before(step, signal.SIGSTOP if order.get("stop") else signal.SIGKILL)
            work(order)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if "resume" in order:
        os.kill(child, signal.SIGCONT)
    status = os.waitpid(child, os.WUNTRACED)[1]
    return child if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)


def rehearse() -> None:
    """Read, import and compile what each fork would otherwise do anew, for two thirds of its processor time."""
    for module in ("babel.dates", "babel.numbers", "pytz"):  # Babel's, when it is first asked for a date
        import_module(module)
    _ = Locale("en").territories
    Names("").shown_topics()
    Settings()
    for kind in (SavedSearch, Batch, Delivery, Outcome, Mailbox, Article, Address):
        documents._validator(kind)
    for environment in (plain_text._environment(), email._environment()):
        for template in environment.list_templates(extensions=["j2"]):
            environment.get_template(template)


if __name__ == "__main__":
    rehearse()
    for line in sys.stdin:
        print(obey(json.loads(line)), flush=True)
