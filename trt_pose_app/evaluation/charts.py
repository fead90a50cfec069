"""Small SVG charts for a report: strings, no library. Colours are the CSS variables of ``report_style``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from trt_pose_app.evaluation.bootstrap import Interval

Bar = tuple[float | None, Interval | None]

_LABEL_PX, _BAR_PX, _ROW_PX = 110, 430, 11


def share_bars(rows: Mapping[str, Sequence[Bar]], names: Sequence[str], title: str) -> str:
    """Return horizontal bars from 0 to 1 with whiskers: row name -> one (value, interval) for each of ``names``."""
    marks, y = [], 22.0
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = _LABEL_PX + tick * _BAR_PX
        marks.append(f'<text class="tick" x="{x:.0f}" y="12" text-anchor="middle">{tick:g}</text>')
    top = y
    for row, bars in rows.items():
        middle = y + _ROW_PX * len(bars) / 2 + 4
        marks.append(f'<text x="{_LABEL_PX - 8}" y="{middle:.1f}" text-anchor="end">{escape(row)}</text>')
        for index, (value, interval) in enumerate(bars):
            marks += _bar(value, interval, y, index, f"{row}, {names[index]}")
            y += _ROW_PX
        y += 7
    grid = "".join(
        f'<path class="grid" d="M{_LABEL_PX + tick * _BAR_PX:.0f} {top:.0f}V{y:.0f}"/>'
        for tick in (0, 0.25, 0.5, 0.75, 1)
    )
    return _svg(_LABEL_PX + _BAR_PX + 60, y, title, grid + "".join(marks))


def _bar(value: float | None, interval: Interval | None, y: float, series: int, name: str) -> list[str]:
    if value is None:
        return []
    width, middle = value * _BAR_PX, y + _ROW_PX / 2
    text, end = f"{value:.3f}", _LABEL_PX + value * _BAR_PX
    marks = [
        f'<rect class="s{series}" x="{_LABEL_PX}" y="{y:.1f}" width="{width:.1f}" height="{_ROW_PX - 2}" rx="2">'
        f"<title>{escape(name)}: {text}{bracket(interval)}</title></rect>"
    ]
    if interval is not None:
        low, high = (_LABEL_PX + edge * _BAR_PX for edge in interval)
        marks.append(f'<path class="whisker" d="M{low:.1f} {middle - 1:.1f}H{high:.1f}"/>')
        end = max(end, high)
    marks.append(f'<text class="value" x="{end + 5:.1f}" y="{middle + 3:.1f}">{text}</text>')
    return marks


def stacked_bars(rows: Mapping[str, Mapping[str, float | None]], kinds: Sequence[str], title: str) -> str:
    """Return one bar per row, divided into the shares of ``kinds``, which sum to 1."""
    marks, y, height = [], 4, 16
    for row, shares in rows.items():
        marks.append(f'<text x="{_LABEL_PX - 8}" y="{y + 12}" text-anchor="end">{escape(row)}</text>')
        x = float(_LABEL_PX)
        for kind in kinds:
            width = (shares[kind] or 0) * _BAR_PX
            if width > 0:
                marks.append(
                    f'<rect class="k-{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}">'
                    f"<title>{escape(row)}: {kind} {shares[kind]:.1%}</title></rect>"
                )
            x += width
        y += height + 6
    return _svg(_LABEL_PX + _BAR_PX + 10, y, title, "".join(marks))


def lines(series: Sequence[Sequence[tuple[float, float]]], names: Sequence[str], title: str, *, highest: float) -> str:
    """Return polylines over x in [0, 1] and y in [0, ``highest``]."""
    left, top, width, height = 44, 10, 360, 190
    marks = []
    for step in range(5):
        x, y = left + width * step / 4, top + height * (1 - step / 4)
        marks.append(f'<path class="grid" d="M{left} {y:.1f}H{left + width}"/>')
        marks.append(
            f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{highest * step / 4:.3g}</text>'
        )
        marks.append(f'<text class="tick" x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{step / 4:g}</text>')
    for index, points in enumerate(series):
        at = [(left + width * x, top + height * (1 - y / highest)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        marks.append(f'<polyline class="l{index}" points="{path}"/>')
        marks += [
            f'<circle class="s{index}" cx="{px:.1f}" cy="{py:.1f}" r="3">'
            f"<title>{escape(names[index])}: {y:.4g} at {x:g}</title></circle>"
            for (px, py), (x, y) in zip(at, points)
        ]
    return _svg(left + width + 20, top + height + 24, title, "".join(marks))


def bracket(interval: Interval | None) -> str:
    """Return `` [low, high]``, or nothing."""
    return f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval is not None else ""


def _svg(width: float, height: float, title: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px" role="img" '
        f'aria-label="{escape(title)}">{content}</svg>'
    )
