"""Adds addresses and has them confirmed, so that nobody can be signed up by another.

A mail address confirms by a link, a chat by a code that its readers tell, a webhook by answering with the code that it
is sent (or as a chat does). Codes are stored as hashes, are good for a day, and allow few tries.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from alerts.saved import SavedSearches
from delivery.address_book import AddressBook, AddressError
from delivery.channels.channel import SendResult
from delivery.channels.chats.registry import checked_place, place_of
from delivery.channels.chats.service import ChatMessage
from delivery.channels.event import challenge_event
from delivery.channels.outgoing import Answer, Outgoing, check_url
from delivery.channels.registry import parse_address
from delivery.channels.targets import Target
from delivery.channels.webhook import new_secret, post, result_of
from delivery.confirmed import hold, release
from delivery.links import Link, Links, signing_keys
from delivery.mailbox import Mailboxes
from delivery.message import Message, Notice, Row, Section
from delivery.notify import notify
from delivery.short import Short
from newswatch.clock import Clock
from newswatch.errors import NewswatchError
from newswatch.sealing import Sealer
from newswatch.settings import Settings
from newswatch.subscriber import CHAT, WEBHOOK, Address, AddressKind, Subscriber
from store.elastic.client import Client
from store.names import Names

T = TypeVar("T")

CODE_FOR: Final = timedelta(days=1)
TRIES: Final = 5
"""Wrong codes after which a new one must be sent."""
AGAIN_AFTER: Final = timedelta(minutes=1)
"""Least time between two codes to one address."""
MAIL_AGAIN_AFTER: Final = timedelta(days=1)
"""Least time between two mails that ask one address, so that nobody is pestered by them."""
MOST_ADDRESSES: Final = 50
"""Addresses that one user may add."""
_LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_CHARS: Final = 8


class Registrar:
    """Adds, confirms and changes the addresses of one installation."""

    def __init__(
        self,
        es: Client,
        names: Names,
        settings: Settings,
        clock: Clock,
        *,
        by: str = "newswatch",
        trusted: bool = False,
    ) -> None:
        """`by` is the user in whose name it is done, for the audit log.

        `trusted` may add an entry under a name to which saved searches of others send already.
        """
        self._trusted = trusted
        self._es, self._names, self._settings, self._clock = es, names, settings, clock
        keys = signing_keys(settings)
        self._key = keys[-1].encode()
        self.book = AddressBook(es, names, Sealer(keys), by=by)

    # ── adding ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def add_webhook(self, name: str, url: str, owner: str) -> tuple[Address, str]:
        """A new webhook, not confirmed yet, and the secret that signs its events, which is shown only now.

        Raises:
            AddressError: name or URL can't be used, or the owner has too many addresses.
        """
        address_id = _parsed(f"{WEBHOOK}:{name}")
        where, secret = _checked(lambda: check_url(url, self._settings)), new_secret()
        shown = "/".join(where.split("/")[:3]) + "/…"
        return self._add(address_id, Target(where, (secret,)), shown, owner), secret

    def add_chat(self, name: str, url: str, owner: str) -> Address:
        """A new chat, not confirmed yet.

        Raises:
            AddressError: name or address can't be used, or the owner has too many addresses.
        """
        address_id = _parsed(f"{CHAT}:{name}")
        place = _checked(lambda: checked_place(url, self._settings))
        return self._add(address_id, Target(url.strip()), place.shown, owner)

    def _add(self, address_id: str, target: Target, shown: str, owner: str) -> Address:
        self.check_number(owner)
        kind: AddressKind = "webhook" if address_id.startswith(WEBHOOK) else "chat"
        now = self._clock()
        if self.book.address(address_id) is not None:
            raise AddressError(f"There is {address_id} already: give this one another name.")
        self.check_name(address_id, owner)
        made = Address(address_id, kind, owner, shown, now, self.book.seal(target))
        # First held, then known: an address is never open in between.
        hold(self._es, self._names, address_id, now)
        self.book.create(made)
        return made

    def check_name(self, entry_id: str, owner: str) -> None:
        """Check that an address, person or group of that name would get nobody else's news: one that was removed may
        still be named.

        Raises:
            AddressError: saved searches or groups of others name it, and we are not trusted.
        """
        if not self._trusted and (others := self._named_by_others(entry_id, owner)):
            raise AddressError(f"{others} names {entry_id}, and its news would come to you: choose another name.")

    def _named_by_others(self, entry_id: str, owner: str) -> str:
        for search in SavedSearches(self._es, self._names).all():
            if entry_id in search.recipients and search.owner != owner:
                return f"The saved search {search.name!r}"
        for entry in self.book.all():
            if isinstance(entry, Subscriber) and entry.owner != owner and entry_id in (r.to for r in entry.routes):
                return entry.id
        return ""

    def check_number(self, owner: str, more: int = 1) -> None:
        """Check that a user may add so many addresses.

        Raises:
            AddressError: they would be more than `MOST_ADDRESSES`.
        """
        own = [entry for entry in self.book.all() if isinstance(entry, Address) and entry.owner == owner]
        if len(own) + more > MOST_ADDRESSES:
            raise AddressError(f"{owner} has {len(own)} addresses; at most {MOST_ADDRESSES} are possible.")

    def unknown_mails(self, recipients: Sequence[str]) -> list[str]:
        """Those of the recipients that are mail addresses nobody has mailed, named or asked before.

        Also those that are held without anybody having been asked: whoever was about to ask died.
        """
        mails = [one for one in dict.fromkeys(recipients) if ":" not in one]
        if not mails:
            return []
        known = {one for search in SavedSearches(self._es, self._names).all() for one in search.recipients}
        known |= {route.to for entry in self.book.all() if isinstance(entry, Subscriber) for route in entry.routes}
        boxes, asked = Mailboxes(self._es, self._names), self.book.many(mails)

        def is_new(address: str) -> bool:
            box = boxes.find(address)
            return box is None or bool(box.value.unverified_since and address not in asked)

        return [one for one in mails if one not in known and is_new(one)]

    def add_mail(self, address: str, owner: str) -> None:
        """Hold a mail address until it is confirmed, and mail it the link that confirms it.

        Raises:
            NewswatchError: the mail could not be sent; the address is held all the same.
        """
        now = self._clock()
        hold(self._es, self._names, address, now)
        if self.book.address(address) is None:
            self.book.create(Address(address, "mail", owner, address, now))
        self.send_link(address, owner)

    # ── confirming ───────────────────────────────────────────────────────────────────────────────────────────────────

    def send_link(self, address: str, by: str) -> None:
        """Mail the link that confirms a mail address.

        Raises:
            AddressError: one was sent a moment ago.
            NewswatchError: it could not be sent; it may be tried again at once.
        """
        self._note_sent(address, "", MAIL_AGAIN_AFTER)
        try:
            notify(confirmation_mail(address, by, self._settings, self._clock()), self._settings)
        except NewswatchError:
            self.book.change(address, lambda was: replace(was, challenge_until=None))
            raise

    def send_code(self, address_id: str) -> Address:
        """Send a new code to a webhook or chat. A webhook that answers with it is confirmed at once.

        Raises:
            AddressError: it could not be sent, or one was sent a moment ago.
        """
        known = self._known(address_id)
        code = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_CHARS))
        target, noted = self.book.open(known), self._note_sent(address_id, self._hash(address_id, code))
        shown = f"{code[:4]}-{code[4:]}"
        with closing(Outgoing(self._settings)) as outgoing:
            if known.kind == "webhook":
                echoed, result = self._challenge(outgoing, address_id, target, shown)
                if echoed:
                    return self._confirmed(address_id)
            else:
                result = self._tell(outgoing, address_id, target, shown, known.owner)
        if address_id not in result.accepted:
            raise AddressError(f"The code could not be sent to {address_id}: {result.why_not(address_id)}.")
        return noted

    def _challenge(self, outgoing: Outgoing, address_id: str, target: Target, code: str) -> tuple[bool, SendResult]:
        key = secrets.token_hex(16)
        answer = post(outgoing, target, challenge_event(key, code, self._settings, self._clock()), self._clock())
        echoed = isinstance(answer, Answer) and answer.is_taken and _same(str(answer.json().get("challenge", "")), code)
        return echoed, result_of(address_id, answer)

    def _tell(self, outgoing: Outgoing, address_id: str, target: Target, code: str, owner: str) -> SendResult:
        place = _checked(lambda: place_of(target.url, self._settings))
        lines = (
            f"{owner} wants to send news from {self._settings.public_url} here, as {address_id}.",
            f"Code: {code}",
            f"Give it to {owner} if you want that; otherwise do nothing.",
        )
        message = ChatMessage(Short(f"{self._settings.mail_name}: code {code}", lines=lines), secrets.token_hex(16))
        return place.send(message, address_id, outgoing, self._settings)

    def _note_sent(self, address_id: str, hashed: str, again_after: timedelta = AGAIN_AFTER) -> Address:
        now = self._clock()

        def noted(address: Address) -> Address:
            sent_at = address.challenge_until and address.challenge_until - CODE_FOR
            if sent_at and now < sent_at + again_after:
                raise AddressError(
                    f"{address_id} was asked less than {in_words(again_after)} ago: wait for the answer."
                )
            return replace(address, challenge=hashed, challenge_until=now + CODE_FOR, tries=0)

        return self.book.change(address_id, noted)

    def confirm(self, address_id: str, code: str) -> Address:
        """Confirm a webhook or chat by its code.

        Raises:
            AddressError: the code is wrong or too old, or was tried too often.
        """
        now, hashed = self._clock(), self._hash(address_id, code)
        right: list[bool] = []

        def tried(address: Address) -> Address:
            right.clear()
            if not address.challenge or not address.challenge_until or now > address.challenge_until:
                raise AddressError(f"No code waits for {address_id}: send a new one.")
            if address.tries >= TRIES:
                raise AddressError(f"{TRIES} wrong codes were tried for {address_id}: send a new one.")
            if hmac.compare_digest(address.challenge, hashed):
                right.append(True)
                return address
            return replace(address, tries=address.tries + 1)

        self.book.change(address_id, tried)
        if not right:
            raise AddressError(f"That is not the code that was sent to {address_id}.")
        return self._confirmed(address_id)

    def _confirmed(self, address_id: str) -> Address:
        self.book.record("recipient confirmed", address_id)
        now = self._clock()
        # The mailbox first: killed in between, the book says that it waits, and its code is still good.
        release(self._es, self._names, address_id)
        return self.book.change(
            address_id,
            lambda address: replace(
                address, verified_at=now, challenge="", challenge_until=None, tries=0, disabled_at=None, disabled_why=""
            ),
        )

    def _hash(self, address_id: str, code: str) -> str:
        plain = "".join(code.upper().split()).replace("-", "")
        return hmac.new(self._key, f"code {address_id} {plain}".encode(), hashlib.sha256).hexdigest()

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def new_key(self, address_id: str) -> str:
        """A new secret for a webhook, shown only now. The former one signs as well until the next change.

        Raises:
            AddressError: it is no webhook.
        """
        self.book.record("recipient: given a new secret", address_id)
        secret = new_secret()

        def changed(address: Address) -> Address:
            if address.kind != "webhook":
                raise AddressError(f"{address_id} is no webhook: only webhooks have secrets that sign.")
            target = self.book.open(address)
            return replace(address, sealed=self.book.seal(Target(target.url, (secret, *target.keys[:1]))))

        self.book.change(address_id, changed)
        return secret

    def drop_former_key(self, address_id: str) -> None:
        """Stop signing with the secret before the last.

        Raises:
            AddressError: it is not in the book.
        """
        self.book.record("recipient: former secret dropped", address_id)

        def changed(address: Address) -> Address:
            target = self.book.open(address)
            return replace(address, sealed=self.book.seal(Target(target.url, target.keys[:1])))

        self.book.change(address_id, changed)

    def share(self, address_id: str, *, shared: bool) -> Address:
        """Let every user name the address as a recipient, or only its owner."""
        self.book.record("recipient: shared" if shared else "recipient: no longer shared", address_id)
        return self.book.change(address_id, lambda address: replace(address, shared=shared))

    def switch_on(self, address_id: str) -> Address:
        """Send again to an address that its receiver switched off."""
        self.book.record("recipient: switched on", address_id)
        return self.book.change(address_id, lambda address: replace(address, disabled_at=None, disabled_why=""))

    def _known(self, address_id: str) -> Address:
        known = self.book.address(address_id)
        if known is None:
            raise AddressError(f"{address_id} is not in the address book.")
        return known


def confirmation_mail(address: str, by: str, settings: Settings, now: datetime) -> Message:
    """The mail that asks whether mails are wanted. Pure."""
    why = (
        f"{by} has named this address as a recipient of news at {settings.public_url}. Nothing is sent here until you "
        "say that you want it. If you don't, do nothing."
    )
    return Message(
        key=secrets.token_hex(16),
        recipient=address,
        subject=f"{settings.mail_name}: do you want these mails?",
        at=now,
        sender=settings.mail_name,
        zone=ZoneInfo(settings.time_zone),
        body=Notice(
            sections=(Section("Confirm your address", "good", (Row(address, "waits for your word", why),)),),
            more_text="Yes, send me mails",
            more_url=Links(settings).url(Link("confirm", address, "*")),
            foot=f"because {by} named this address. It comes once.",
        ),
    )


def in_words(wait: timedelta) -> str:
    """A wait in words: "a day", "a minute"."""
    return "a day" if wait >= timedelta(days=1) else "a minute"


def _same(given: str, code: str) -> bool:
    return hmac.compare_digest(given.encode(), code.encode())


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise AddressError(f"This address can't be used: {error}.") from error


def _parsed(text: str) -> str:
    try:
        return parse_address(text)
    except ValueError as error:
        raise AddressError(f"This name can't be used: {error}.") from error
