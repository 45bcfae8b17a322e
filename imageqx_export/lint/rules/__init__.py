"""The rules, each with its reason, its source and its mend."""

from __future__ import annotations

from imageqx_export.lint.model import Rule
from imageqx_export.lint.rules import casts, coverage, shapes, versions

RULES: tuple[Rule, ...] = (*casts.RULES, *shapes.RULES, *coverage.RULES, *versions.RULES)
