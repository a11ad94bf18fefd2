"""Tables of medians, with ratios to a reference that is measured in the same rounds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles


def ratio(values: Sequence[float], reference: Sequence[float]) -> str:
    """Return the ratio of VALUES to REFERENCE, over the rounds that both have: median (middle half)."""
    ratios = [value / other for value, other in zip(values, reference, strict=False)]
    low, _middle, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return f"{median(ratios):.2f} ({low:.2f}–{high:.2f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in plain text, with its first column aligned left and the others right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
                     for row in [head, *rows])
