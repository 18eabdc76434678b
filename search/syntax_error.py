"""A query that can't be parsed, and how its place is shown. Pure."""

from __future__ import annotations

from newswatch.errors import QueryError


class QuerySyntaxError(QueryError):
    """A query that can't be parsed; `start:end` is the place in it."""

    def __init__(self, query: str, start: int, end: int, message: str) -> None:
        self.query, self.start, self.end, self.reason = query, start, end, message
        super().__init__(f"{message}\n{pointed_at(query, start, end)}")


_SHOWN_CHARS = 120
"""Maximum characters of a line to show; of a longer one, the part around the place."""


def pointed_at(query: str, start: int, end: int) -> str:
    """The query's line with the place, and a second line that points at the place."""
    line_start = query.rfind("\n", 0, start) + 1
    line, column = query[line_start:].split("\n")[0], start - line_start
    width = max(1, min(end - start, len(line) - column))
    if len(line) > _SHOWN_CHARS:
        first = max(0, column - _SHOWN_CHARS // 2)
        cut = "…" if first else ""
        line, column = cut + line[first : first + _SHOWN_CHARS] + "…", column - first + len(cut)
        width = max(1, min(width, len(line) - column))
    return f"  {line}\n  {' ' * column}{'^' * width}"
