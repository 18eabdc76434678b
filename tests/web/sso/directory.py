"""A real LDAP directory (OpenLDAP's slapd) with three people in three groups, and one in none."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded.processes import free_port, is_listening

BASE = "dc=ministry,dc=example"
SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/libexec")
_SCHEMAS, _MODULES = Path("/etc/ldap/schema"), Path("/usr/lib/ldap")
PEOPLE = {"ann": "readers", "ed": "writers", "op": "runners", "guest": ""}


@dataclass(frozen=True, slots=True)
class Directory:
    """A running directory."""

    url: str


def missing() -> str:
    """What a directory needs that is not here; empty if all is."""
    found = {"slapd": SLAPD, "its schemas": _SCHEMAS.is_dir(), "memberof.so": list(_MODULES.glob("memberof*"))}
    return ", ".join(name for name, there in found.items() if not there)


def password_of(name: str) -> str:
    """What a person logs in with."""
    return f"{name}'s password"


@contextmanager
def directory(folder: Path) -> Iterator[Directory]:
    """A directory on loopback, its data in `folder`."""
    assert SLAPD
    data, config, entries = folder / "data", folder / "slapd.conf", folder / "entries.ldif"
    data.mkdir()
    config.write_text(_config(data))
    entries.write_text(_entries())
    # slapd's other programs are itself under another name.
    subprocess.run(["slapadd", "-f", config, "-l", entries], executable=SLAPD, check=True, capture_output=True)
    port = free_port()
    url = f"ldap://127.0.0.1:{port}"
    with (folder / "slapd.log").open("wb") as log:
        server = subprocess.Popen([SLAPD, "-d", "0", "-f", config, "-h", url], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while not is_listening(port):
            assert server.poll() is None, (folder / "slapd.log").read_text()
            assert time.monotonic() < deadline, "slapd does not listen"
            time.sleep(0.02)
        yield Directory(url)
    finally:
        server.terminate()
        server.wait(10)


def _config(data: Path) -> str:
    schemas = "\n".join(f"include {_SCHEMAS}/{name}.schema" for name in ("core", "cosine", "inetorgperson"))
    return f"""\
{schemas}
modulepath {_MODULES}
moduleload back_mdb
moduleload memberof
pidfile {data.parent}/slapd.pid
database mdb
maxsize 10485760
suffix "{BASE}"
rootdn "cn=reader,{BASE}"
rootpw reading
directory {data}
overlay memberof
"""


def _entries() -> str:
    """`memberOf` is written out: `slapadd` runs no overlays."""
    people = [
        f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        f"givenName: {name}\nmail: {name}@ministry.example\nuserPassword: {password_of(name)}\n"
        + (f"memberOf: cn={group},ou=groups,{BASE}\n" if group else "")
        for name, group in PEOPLE.items()
    ]
    groups = [
        f"dn: cn={group},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {group}\n"
        f"member: uid={name},ou=people,{BASE}\n"
        for name, group in PEOPLE.items()
        if group
    ]
    top = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Ministry\ndc: ministry\n"
    units = [f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n" for unit in ("people", "groups")]
    return "\n".join([top, *units, *people, *groups])
