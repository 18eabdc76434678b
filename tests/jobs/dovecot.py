"""A real IMAP server (Dovecot) with one mailbox."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded.processes import end_group, free_port, is_listening

DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:/usr/bin")
PASSWORD = "the mailbox's password"


@dataclass(slots=True)
class Imap:
    """The running server."""

    url: str
    """Of its mailbox, with user and password."""
    maildir: Path
    owner: int
    count: int = 0

    def put(self, message: bytes) -> None:
        """A message comes in."""
        self.count += 1
        path = self.maildir / "new" / f"{self.count}.test"
        path.write_bytes(message)
        os.chown(path, self.owner, -1)

    def unseen(self) -> int:
        """Messages without a mark that they were seen."""
        read = [path for path in (self.maildir / "cur").iterdir() if "S" in path.name.rpartition(",")[2]]
        return self.count - len(read)


def missing() -> str:
    """What the server needs that is not here; empty if all is."""
    return "" if DOVECOT and os.getuid() == 0 else "Dovecot, and a test that runs as root"


@contextmanager
def imap_server(folder: Path) -> Iterator[Imap]:
    """The server on loopback, unencrypted."""
    assert DOVECOT
    port, owner, maildir = free_port(), pwd.getpwnam("nobody").pw_uid, folder / "Maildir"
    for part in ("new", "cur", "tmp"):
        (maildir / part).mkdir(parents=True)
    folder.chmod(0o711)
    for path in (maildir, *maildir.iterdir()):
        os.chown(path, owner, -1)
    (folder / "dovecot.conf").write_text(f"""\
base_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{maildir}
passdb {{
  driver = static
  args = password={PASSWORD.replace(" ", "_")}
}}
userdb {{
  driver = static
  args = uid={owner} gid={pwd.getpwuid(owner).pw_gid} home={folder}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
    server = subprocess.Popen([DOVECOT, "-F", "-c", folder / "dovecot.conf"], start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not is_listening(port):
            assert server.poll() is None, (folder / "dovecot.log").read_text()
            assert time.monotonic() < deadline, "Dovecot does not listen"
            time.sleep(0.02)
        password = PASSWORD.replace(" ", "_").replace("'", "%27")
        yield Imap(f"imap://bounces:{password}@127.0.0.1:{port}/INBOX", maildir, owner)
    finally:
        server.terminate()
        server.wait(20)
        end_group(server.pid)
