"""How soon the operator is told of an outage: `python -m benchmarks.outages`.

A real stack (`newswatch up`) is broken in one way after another and mended again. `python -m benchmarks.outages --list`
names the faults; [Benchmarks](../../docs/benchmarks.md) shows the results.

| module | what it does |
|---|---|
| `receivers.py` | what is outside newswatch, on loopback: papers, a mail server, a chat, a heartbeat service |
| `installation.py` | the stack: starts it, finds its processes, asks `newswatch check` and the News page |
| `faults.py` | the table of faults: how each is made and mended, and what must be told by which ways |
| `measuring.py` | breaks, waits until it is told, mends, waits until the end is told; judges the result |
| `table.py` | the results as Markdown and JSON |
"""
