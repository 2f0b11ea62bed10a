"""Plots of a validation as SVG path data: curves on two axes, with bands for intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.schema.laboratory import Curve, LikelihoodRatios
from detector.schema.method import is_shipped_threshold
from reports.language.formatting import shown
from reports.language.translation import N_, gettext

WIDTH, HEIGHT = 370.0, 262.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 358.0, 10.0, 196.0
_LEGEND_ROW = 13.0
_COLOURS = ("#163a5f", "#8f2f1f", "#6d5a12", "#3d4550")
_DASHES = ("", "6 3", "1.5 2.5", "9 3 2 3")
Point = tuple[float, float]


@dataclass(frozen=True)
class PlotTick:
    """A mark on an axis: its place and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One curve: its path, the band around it (empty: none), how it is drawn, and its name."""

    path: str
    band: str
    colour: str
    dash: str
    name: str
    legend_y: float


@dataclass(frozen=True)
class Plot:
    """A figure; ``marks`` are upright lines with a name."""

    title: str
    text: str
    x_title: str
    y_title: str
    x_ticks: tuple[PlotTick, ...]
    y_ticks: tuple[PlotTick, ...]
    lines: tuple[Line, ...]
    marks: tuple[PlotTick, ...]
    height: float
    width: float = WIDTH
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


@dataclass(frozen=True)
class _Axes:
    """What the plot's edges stand for."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return round(LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0), 1)

    def up(self, value: float) -> float:
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return round(BOTTOM - (BOTTOM - TOP) * min(max(share, 0.0), 1.0), 1)

    def path(self, points: Sequence[Point]) -> str:
        return "".join(f"{'L' if i else 'M'}{self.across(x)} {self.up(y)}" for i, (x, y) in enumerate(points))


def error_curves(curve: Curve, used: float) -> Plot:
    """Both error rates by threshold, with their intervals; ``used`` is that of the verdict."""
    axes = _Axes((0.0, 1.0), (0.0, 1.0))
    false_positives = [(p.threshold, p.false_positive_rate) for p in curve.points]
    around_these = [(p.threshold, p.false_positive_low, p.false_positive_high) for p in curve.points]
    false_negatives = [(p.threshold, p.false_negative_rate) for p in curve.points]
    around_those = [(p.threshold, p.false_negative_low, p.false_negative_high) for p in curve.points]
    lines = (
        _line(
            0,
            gettext("unmanipulated, flagged all the same"),
            axes.path(false_positives),
            _band(axes, around_these),
        ),
        _line(1, gettext("manipulated, not flagged"), axes.path(false_negatives), _band(axes, around_those)),
    )
    words = N_("shipped %(threshold)s") if is_shipped_threshold(used) else N_("used %(threshold)s")
    mark = PlotTick(axes.across(used), gettext(words, threshold=shown(used, "g")))
    return Plot(
        title=N_("Error rates by threshold"),
        text=gettext(
            "Shares of unmanipulated files flagged and of manipulated files not flagged, by the probability "
            "from which a file would be flagged; tinted: 95 %% intervals"
        ),
        x_title=N_("flagged from a probability of"),
        y_title=N_("share"),
        x_ticks=_ticks(axes.across, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        y_ticks=_ticks(axes.up, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        lines=lines,
        marks=(mark,),
        height=_height(len(lines)),
    )


def tippett(ratios: LikelihoodRatios) -> Plot:
    """Shares of both classes with at least a ratio; of Platt's, drawn wide, and of PAV's."""
    ends = [p.log10_lr for system in ratios.systems[1:] for p in system.tippett]
    most = max(1.0, *(abs(end) for end in ends)) * 1.1
    axes = _Axes((-most, most), (0.0, 1.0))
    lines: list[Line] = []
    for system in ratios.systems[1:]:
        for of_fakes, name in ((True, N_("manipulated")), (False, N_("unmanipulated"))):
            points = [(-most, 1.0)]
            # The share at a level holds down to the level before it.
            points += [(p.log10_lr, p.manipulated if of_fakes else p.unmanipulated) for p in system.tippett]
            path = _falling(axes, points, most)
            lines.append(_line(len(lines), f"{gettext(name)}, {system.name}", path))
    whole = [float(value) for value in range(-int(most), int(most) + 1)]
    return Plot(
        title=N_("Tippett plot"),
        text=gettext(
            "Share of manipulated and of unmanipulated files whose likelihood ratio is at least so large"
        ),
        x_title=N_("log10 of the likelihood ratio"),
        y_title=N_("share with at least this"),
        x_ticks=_ticks(axes.across, whole),
        y_ticks=_ticks(axes.up, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        lines=tuple(lines),
        marks=(PlotTick(axes.across(0.0), ""),),
        height=_height(len(lines)),
    )


def cross_entropy(ratios: LikelihoodRatios) -> Plot:
    """What the ratios leave open, by prior odds, against saying nothing and the best that order allows."""
    odds = ratios.ece_odds
    curves = [
        (gettext("saying nothing"), ratios.ece_neutral),
        ("Platt", ratios.systems[1].ece),
        ("PAV", ratios.systems[2].ece),
        (gettext("best the order allows"), ratios.ece_best),
    ]
    highest = max(1.0, *(min(value, 1.5) for _, values in curves for value in values))
    axes = _Axes((odds[0], odds[-1]), (0.0, highest))
    lines = tuple(
        _line(number, name, axes.path(list(zip(odds, values, strict=True))))
        for number, (name, values) in enumerate(curves)
    )
    return Plot(
        title=N_("Empirical cross-entropy"),
        text=gettext(
            "Uncertainty left when the likelihood ratios are used at each prior odds; lower is better, and "
            "what lies above saying nothing does harm"
        ),
        x_title=N_("log10 of the prior odds of manipulation"),
        y_title=N_("bits"),
        x_ticks=_ticks(axes.across, [-3, -2, -1, 0, 1, 2, 3]),
        y_ticks=_ticks(axes.up, [0, 0.25, 0.5, 0.75, 1]),
        lines=lines,
        marks=(),
        height=_height(len(lines)),
    )


def _line(number: int, name: str, path: str, band: str = "") -> Line:
    return Line(path, band, _COLOURS[number], _DASHES[number], name, BOTTOM + 42 + _LEGEND_ROW * number)


def _height(lines: int) -> float:
    return BOTTOM + 42 + _LEGEND_ROW * lines


def _ticks(place: Callable[[float], float], values: Sequence[float]) -> tuple[PlotTick, ...]:
    """Ticks at ``values``, each where ``place`` puts it on its axis."""
    return tuple(PlotTick(place(value), shown(value, "g").replace("-", "−")) for value in values)


def _band(axes: _Axes, ends: Sequence[tuple[float, float, float]]) -> str:
    there = [(x, high) for x, _, high in ends]
    back = [(x, low) for x, low, _ in reversed(ends)]
    return f"{axes.path([*there, *back])}Z"


def _falling(axes: _Axes, points: Sequence[Point], most: float) -> str:
    """Shares of those at or above: each level's share reaches down to the level before."""
    parts = [f"M{axes.across(points[0][0])} {axes.up(points[0][1])}"]
    for x, share in points[1:]:
        parts.append(f"V{axes.up(share)}H{axes.across(x)}")
    parts.append(f"V{axes.up(0.0)}H{axes.across(most)}")
    return "".join(parts)
