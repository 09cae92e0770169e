"""Plans for people: as text, and as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def escape(text: str) -> str:
    """Text as it stands in HTML."""
    from html import escape

    return escape(text)


def size(bytes_: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if bytes_ < 1000 or unit == "TB":
            return f"{bytes_:.0f} {unit}" if unit == "B" or bytes_ >= 100 else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    raise AssertionError


def seconds(s: float) -> str:
    return f"{s * 1000:.0f} ms" if s < 1 else f"{s:.1f} s" if s < 100 else f"{s / 60:.0f} min"


def summary(report: Mapping[str, Any]) -> str:
    """What a plan or a run takes, in a line."""
    about = "about " if report.get("as_planned", True) is None else ""
    # Nobody knows that of all workers together.
    memory = f"{size(report['peak_budget_bytes'])} of memory, " if "peak_budget_bytes" in report else ""
    return (
        f"{report['strategy']}, {size(report['bytes_read'])} read, {size(report['bytes_written'])} written in "
        f"{report['target_chunks']} chunks, {memory}{about}{seconds(report['elapsed_s'])}"
    )


def _lines(
    source: Any, target: Any, plan: Mapping[str, Any], notes: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    # Datasets tell all that is in them.
    lines = [("Source", repr(source).partition("\n")[0]), ("Target", str(target)), ("Plan", summary(plan))]
    if target is None:
        del lines[1]
    if plan["spill_bytes"]:
        lines.insert(1, ("Intermediate", f"{size(plan['spill_bytes'])} in one file, removed by itself"))
    return lines + notes


def _title(target: Any) -> str:
    return "Plan" if target is None else "Rechunked"


def text(source: Any, target: Any, plan: Mapping[str, Any], notes: list[tuple[str, str]]) -> str:
    lines = _lines(source, target, plan, notes)
    return f"<{_title(target)}>\n" + "\n".join(f"* {name:<12}: {told}" for name, told in lines)


def table(rows: list[list[str]]) -> str:
    """Rows as a table of HTML, the first of them its head."""
    head, *rest = ["".join(f"<td>{escape(cell.strip())}</td>" for cell in row) for row in rows]
    return (
        f"<table><tr>{head.replace('td>', 'th>')}</tr>"
        + "".join(f"<tr>{row}</tr>" for row in rest)
        + "</table>"
    )


def paragraph(told: str) -> str:
    return f"<p>{escape(told)}</p>" if told else ""


def html(source: Any, target: Any, plan: Mapping[str, Any], notes: list[tuple[str, str]]) -> str:
    """A small table of what the plan takes, with a bar for the time of each array."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(told)}</td></tr>"
        for name, told in _lines(source, target, plan, notes)
    )
    longest = max((array["elapsed_s"] for array in plan["arrays"]), default=0) or 1
    bars = "".join(
        "<tr>"
        f"<td style='text-align:left'>{escape(array['array'] or '/')}</td>"
        f"<td style='text-align:left'>{escape(array['strategy'])}</td>"
        f"<td>{size(array['peak_budget_bytes'])}</td>"
        f"<td>{size(array['bytes_read'])}</td><td>{size(array['bytes_written'])}</td>"
        f"<td>{seconds(array['elapsed_s'])}</td>"
        "<td style='text-align:left'><div style='background:#4c78a8;height:0.8em;"
        f"width:{max(1, round(120 * array['elapsed_s'] / longest))}px'></div></td></tr>"
        for array in plan["arrays"][:20]
    )
    more = len(plan["arrays"]) - 20
    rest = f"<p>and {more} more arrays</p>" if more > 0 else ""
    head = "".join(f"<th>{name}</th>" for name in ("array", "way", "memory", "read", "written", "time", ""))
    return f"<h3>{_title(target)}</h3><table>{rows}</table><table><tr>{head}</tr>{bars}</table>{rest}"
