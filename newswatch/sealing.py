"""Seals secrets that users give (addresses with keys in them) before they are stored: authenticated encryption.

The key is derived from the installation's signing key (`Settings.secret_key`), so there is one key to keep and to
change. What the key before it sealed can still be opened.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from newswatch.errors import NewswatchError

_PURPOSE = b"newswatch sealed addresses"


class SealError(NewswatchError):
    """What was sealed can't be opened: another key sealed it, or it was altered."""


class Sealer:
    """Seals and opens with the keys of one installation; `keys` as `delivery.links.signing_keys` gives them."""

    def __init__(self, keys: Sequence[str]) -> None:
        newest_first = [_fernet(key) for key in reversed(keys)]
        self._fernet, self._newest = MultiFernet(newest_first), newest_first[0]

    def seal(self, text: str) -> str:
        """The sealed text, in ASCII; different each time."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def is_current(self, sealed: str) -> bool:
        """Whether the newest key sealed it; what an older one sealed should be sealed again."""
        try:
            self._newest.decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def open(self, sealed: str) -> str:
        """The text.

        Raises:
            SealError: none of the keys sealed it.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealError(
                "It was sealed with another key: set NEWSWATCH_SECRET_KEY (or …_BEFORE) to the key of then, "
                "or give the address again."
            ) from error


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
