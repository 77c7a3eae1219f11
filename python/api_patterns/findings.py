"""Findings of comparisons as Python objects."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .report import _known


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: a rule, and a place of an operation at which it is not held.

    `severity` is `error`, `warning` or `info`. `count` of `of` exchanges show it. `confidence` is None if it is certain. `location`
    has `file`, `line` and `pointer` of the description. `known` is true if it is in the baseline.
    """

    rule: str
    severity: str
    message: str
    fingerprint: str
    operation: str = ""
    place: str = ""
    count: int | None = None
    of: int | None = None
    confidence: float | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    flow_ids: list[str] = field(default_factory=list)
    location: dict[str, Any] | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """All findings of a comparison, the worst first.

    `problems` are sentences about captures that could not be read, and `notes` about what was not compared.
    """

    comparison: str
    summary: str
    totals: dict[str, int]
    findings: list[Finding]
    coverage: dict[str, Any] | None
    notes: list[str]
    problems: list[str]
    _json: str = field(repr=False)

    @classmethod
    def from_json(cls, text: str, problems: Iterable[str] = ()) -> Findings:
        """Create findings from their JSON."""
        values = json.loads(text)
        return cls(
            comparison=values["comparison"],
            summary=values["summary"],
            totals=values["totals"],
            findings=[Finding(**_known(Finding, finding)) for finding in values["findings"]],
            coverage=values.get("coverage"),
            notes=values.get("notes", []),
            problems=list(problems),
            _json=text,
        )

    def to_json(self) -> str:
        """Return the findings as `api-patterns drift --format json` writes them, but on one line."""
        return self._json
