"""`python -m benchmarks.outages`: breaks a real stack in one way after another, and prints what was told of it when.

Ends with 1 if anything is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

from benchmarks.outages.faults import FAULTS, Fault
from benchmarks.outages.installation import READER, Installation, open_installation
from benchmarks.outages.measuring import Outcome, await_quiet, await_true, measure
from benchmarks.outages.messages import Told, told
from benchmarks.outages.receivers import Outside, open_outside
from benchmarks.outages.table import HEAD, as_json, row, table

CHECK_EVERY_S = 60.0
FIRST_MAIL_S = 600.0
"""Seconds from the start until the first story is mailed, on a machine that does much else."""


def main() -> int:
    """Run it; returns the exit status."""
    options = _options()
    if options.list:
        print("\n".join(f"{fault.name:24} {fault.what}" for fault in FAULTS))
        return 0
    # A signal takes the usual way out, which ends the stack.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    named = {fault.name: fault for fault in FAULTS}
    faults = [named[name] for name in options.only or named]
    home = options.folder or Path(gettempdir()) / "newswatch-outages"
    with (
        open_outside(home / "outside") as outside,
        open_installation(home / "stack", outside, keep=options.keep) as installation,
    ):
        if not await_true(lambda: mails_to(READER, outside), FIRST_MAIL_S):
            print(f"No mail has come to {READER} within {FIRST_MAIL_S:.0f} s.", flush=True)
        if left := await_quiet(installation):
            print(f"From the start something is wrong: {left}", flush=True)
        false_alarms = _ordinary(installation, options.minutes * 60)
        outcomes = _all(faults, installation, options.json)
    if options.markdown:
        options.markdown.write_text(f"{table(outcomes)}\n", encoding="utf-8")
    return 1 if false_alarms or any(outcome.wrong for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=[fault.name for fault in FAULTS], help="in this order"
    )
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument("--minutes", type=float, default=0, help="ordinary work before the first fault: raises nothing")
    parser.add_argument("--folder", type=Path, help="where the stack is (default: in the folder for temporary files)")
    parser.add_argument("--keep", action="store_true", help="keep the stack's data folder, with its logs")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file after each fault")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    return parser.parse_args()


def _all(faults: list[Fault], installation: Installation, file: Path | None) -> list[Outcome]:
    outcomes: list[Outcome] = []
    if faults:
        print(HEAD, flush=True)
    for fault in faults:
        outcomes.append(measure(fault, installation))
        print(row(outcomes[-1]), flush=True)
        if file:
            file.write_text(json.dumps(as_json(outcomes), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return outcomes


def mails_to(reader: str, outside: Outside) -> int:
    """How many mails the reader has got so far."""
    return sum(reader in mail.recipients for mail in list(outside.mail.taken))


def _ordinary(installation: Installation, seconds: float) -> list[Told]:
    """Let it work in peace; whatever is told in that time is a false alarm."""
    if not seconds:
        return []
    began, deadline = datetime.now(UTC), time.monotonic() + seconds
    raised = set[str]()
    while (left := deadline - time.monotonic()) > 0:
        raised |= installation.check().ids
        time.sleep(min(CHECK_EVERY_S, max(0.1, left)))
    alarms = told(installation.outside, began, datetime.now(UTC))
    mails = mails_to(READER, installation.outside)
    print(f"{seconds / 60:.0f} minutes of ordinary work, {mails} mails to the reader: {len(alarms)} alarms", flush=True)
    for alarm in alarms:
        print(f"  {alarm}", flush=True)
    if raised:
        print(f"  check has named {sorted(raised)}", flush=True)
    return alarms


if __name__ == "__main__":
    sys.exit(main())
