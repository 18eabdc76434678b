"""The watchman's own settings: one that is wrong must not keep it from watching, and is told like any other fault."""

from __future__ import annotations

from collections.abc import Mapping

from observe.condition import Condition, Severity
from observe.probes.probe import Probe, Report


def own_settings(wrong: Mapping[str, str]) -> Probe:
    """The probe of the settings with which the watchman was started; `wrong` is variable → what is wrong with it."""
    report = Report(tuple(_condition(variable, why) for variable, why in wrong.items()))
    return Probe("settings", lambda: report)


def _condition(variable: str, why: str) -> Condition:
    return Condition(
        f"setting:{variable}",
        Severity.WARNING,
        f"{variable}: {why}. The watchman goes on without it.",
        "Correct it, or unset it, and start the watchman again.",
    )
