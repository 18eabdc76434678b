"""The process of the fast lane in the embedded stack."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from jobs.context import open_context
from jobs.fast import lane
from newswatch.errors import NewswatchError
from newswatch.settings import Settings


def main() -> None:
    """Run the fast lane until the stack closes our standard input, or a signal asks us to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    over = threading.Event()
    threading.Thread(target=_read_to_the_end, args=(over,), daemon=True).start()
    end_by_signals(over)
    try:
        report = lane.run(open_context(Settings(), check_channels=False), over)
    except NewswatchError as error:
        logging.getLogger(__name__).error("%s", error)
        sys.exit(error.exit_code)
    logging.getLogger(__name__).info("%s", report)


def end_by_signals(over: threading.Event) -> None:
    """Set `over` when a signal asks us to end. Call it in the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())


def _read_to_the_end(over: threading.Event) -> None:
    """The stack holds the other end, so this ends with it, however that ends."""
    while os.read(0, 1024):
        pass
    over.set()
