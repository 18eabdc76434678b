"""The process is killed between any two steps of `plan`, `pull` and `match`, and everything comes right by itself.

Every step that leaves a trace is a write to Elasticsearch or a mail handed over, so dying after the n-th of them, for
every n from none on, is dying everywhere. What a job notes of its own runs (the pulse) is no work, and is left out.
Each death is a real one: a forked child ends by `os._exit`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes

import pytest
from elastic_transport import Transport

from delivery.channels.email_smtp import Mailer
from jobs.context import Context
from jobs.deliver import deliver
from jobs.match import match
from jobs.plan import plan
from jobs.pull.batch import pull
from store.elastic.client import connect
from tests.jobs.conftest import World
from tests.jobs.newsstand import SYLLABLES
from tests.taxonomies import shipped_tagger

pytestmark = pytest.mark.slow

KILLED = 9
_WRITES = ("/_bulk", "/_create/", "/_doc/", "/_update/")
SMTP_WINDOW = 2
"""Deaths after which a mail may come twice: after the server took it, and after reading where to note that."""


def dying_after(steps: int, counts: Callable[..., bool]) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Wraps calls that leave a trace, so that the process dies once `steps` of those that count are done, over all."""
    taken = iter(range(1, 1_000_000))

    def wrap(call: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            result = call(*args, **kwargs)
            if counts(*args) and next(taken) == steps:
                os._exit(KILLED)
            return result

        return step

    return wrap


def leaves_a_trace(through: object, method: object, target: object, *_: object) -> bool:
    """Whether a mail is handed over, or a request changes what jobs work on; dying between two others is the same."""
    if not isinstance(through, Transport):
        return True
    is_write = method in ("POST", "PUT") and any(part in str(target) for part in _WRITES)
    return is_write and "pulse/" not in str(target)


def dies(
    job: Callable[[Context], object],
    context: Context,
    steps: int,
    counts: Callable[..., bool] = leaves_a_trace,
) -> bool:
    """Run the job in a process that dies after so many steps; False when it came to its end before."""
    shipped_tagger()  # which each process would otherwise make for itself, for a second or two
    child = os.fork()
    if child == 0:
        try:
            wrap = dying_after(steps, counts)
            Transport.perform_request = wrap(Transport.perform_request)  # type: ignore[method-assign, assignment]
            Mailer.send = wrap(Mailer.send)  # type: ignore[method-assign, assignment]
            job(replace(context, es=connect(context.settings)))
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, KILLED), "the job failed by itself"
    return code == KILLED


def run(context: Context) -> None:
    """One poll, one match, one delivery, as the DAGs run them."""
    poll_only(context)
    match(context)
    deliver(context)


def poll_only(context: Context) -> None:
    """One poll, as its DAG runs it."""
    for number in plan(context).batches:
        pull(context, number)


@pytest.mark.timeout(600)
def test_whatever_dies_nothing_is_lost_and_nothing_is_twice(world: World) -> None:
    context, published = world.context, 0
    for steps in range(1, 200):
        published += 1
        publish_another(world, published)
        world.wait(minutes=20)
        died = dies(run, context, steps)
        if not died:
            assert world.count(context.names.articles) == published, "the run that died had nothing to do"
        # Leases end, and the next run comes by the clock.
        world.wait(minutes=20)
        run(context)
        place = f"killed after step {steps}"
        assert world.count(context.names.articles) == published, f"an article is lost or twice: {place}"
        check_mails(world, published, place)
        if not died:
            break
    else:
        pytest.fail("the run never came to its end")
    assert published > 15, "too few steps were found to die at"


def publish_another(world: World, number: int) -> None:
    """A story that has no name and no event in common with any other: each is owed a mail of its own."""
    rng = random.Random(number)
    words = iter(["".join(rng.choices(SYLLABLES, k=4)) for _ in range(100)])
    story = world.press.publish(f"story-{number}", title=f"NATO {next(words)} {next(words)} {next(words)}")
    story.paragraphs = tuple(
        f"NATO {' '.join(next(words) for _ in range(20))} the Alliance {' '.join(next(words) for _ in range(8))}."
        for _ in range(3)
    )


def check_mails(world: World, published: int, place: str) -> None:
    """Every story was mailed; one that was mailed twice (in the SMTP window) carries the same Message-ID."""
    identities = [message_from_bytes(mail)["Message-ID"] for mail in world.mailbox.mails]
    stories = set(identities)
    assert len(stories) == published, f"a mail is lost, or sent under two identities: {place}"
    assert len(identities) - len(stories) <= SMTP_WINDOW, f"a mail was sent twice outside of the SMTP window: {place}"
