"""The words of decisions: numbers as people read them, and drafts that a verdict completes."""

from __future__ import annotations

from imageqx_export.report.rules.verdicts import Decision, Quantity, Verdict

FILES = "files"
"""The target of what does not depend on one."""


def format_share(value: float, *, sign: bool = False, digits: int = 1) -> str:
    """Return a relative number in percent.

    >>> format_share(-0.0512, sign=True), format_share(0.005), format_share(0.00204, digits=2)
    ('−5.1 %', '0.5 %', '0.20 %')
    """
    text = f"{100 * value:{'+' if sign else ''}.{digits}f} %"
    return text.replace("-", "−")


def format_signed(value: float) -> str:
    """Return a whole number with its sign.

    >>> format_signed(-1234), format_signed(40)
    ('−1,234', '+40')
    """
    return f"{value:+,.0f}".replace("-", "−")


class Draft:
    """A decision about one quantity of one artifact on one target, until its verdict is known.

    Attributes:
        before: The baseline's value, or None.
        after: The current one, or None.
        numbers: What the verdict rests on.
    """

    def __init__(
        self,
        artifact: str,
        target: str,
        quantity: Quantity,
        unit: str,
        before: float | None = None,
        after: float | None = None,
    ) -> None:
        self.artifact, self.target, self.quantity, self.unit = artifact, target, quantity, unit
        self.before, self.after = before, after
        self.numbers: dict[str, float] = {}

    def decide(self, verdict: Verdict, reason: str) -> Decision:
        """Return the decision."""
        return Decision(
            artifact=self.artifact,
            target=self.target,
            quantity=self.quantity,
            verdict=verdict,
            reason=reason,
            before=self.before,
            after=self.after,
            unit=self.unit,
            numbers=self.numbers,
        )
