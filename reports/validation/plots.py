"""Plots of a validation as SVG path data: curves on two axes, with bands for intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.schema.laboratory import Curve, LikelihoodRatios, Subject
from detector.schema.method import is_shipped_threshold
from language.formatting import shown
from language.translation import N_, gettext
from reports.validation.error_rates import class_names

WIDTH, HEIGHT = 370.0, 262.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 358.0, 10.0, 196.0
_LEGEND_ROW, _LEGEND = 15.0, 48.0  # its first line below the axis
_COLOURS = ("#163a5f", "#8f2f1f", "#6d5a12", "#3d4550")
_DASHES = ("", "6 3", "1.5 2.5", "9 3 2 3")
Point = tuple[float, float]


@dataclass(frozen=True)
class PlotTick:
    """A tick of an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One curve: its path, the band around it (empty for none), its style and its name."""

    path: str
    band: str
    colour: str
    dash: str
    name: str
    legend_y: float


@dataclass(frozen=True)
class Plot:
    """A figure; ``marks`` are named vertical lines."""

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
    """Values at the edges of the plot."""

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
    """Plot both error rates by threshold, with intervals; ``used`` is the verdict's threshold."""
    axes = _Axes((0.0, 1.0), (0.0, 1.0))
    positives = [(p.threshold, p.false_positive_rate) for p in curve.points]
    positive_limits = [(p.threshold, p.false_positive_low, p.false_positive_high) for p in curve.points]
    negatives = [(p.threshold, p.false_negative_rate) for p in curve.points]
    negative_limits = [(p.threshold, p.false_negative_low, p.false_negative_high) for p in curve.points]
    wrong = N_("unmanipulated, but flagged"), N_("manipulated, not flagged")
    if curve.kind is Subject.VOICE:
        wrong = N_("human, but flagged"), N_("synthetic, not flagged")
    lines = (
        _line(0, gettext(wrong[0]), axes.path(positives), _band(axes, positive_limits)),
        _line(1, gettext(wrong[1]), axes.path(negatives), _band(axes, negative_limits)),
    )
    words = N_("default %(threshold)s") if is_shipped_threshold(used) else N_("used %(threshold)s")
    mark = PlotTick(axes.across(used), gettext(words, threshold=shown(used, "g")))
    return Plot(
        title=N_("Error rates by threshold"),
        text=gettext(
            "Shares of unmanipulated files flagged and of manipulated files not flagged, by the score "
            "from which a file would be flagged; tinted: 95 %% intervals"
        ),
        x_title=N_("flagged from a score of"),
        y_title=N_("share"),
        x_ticks=_ticks(axes.across, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        y_ticks=_ticks(axes.up, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        lines=lines,
        marks=(mark,),
        height=_height(len(lines)),
    )


def tippett(ratios: LikelihoodRatios) -> Plot:
    """Plot the shares of both classes with at least a ratio: Platt drawn wide, and PAV."""
    ends = [p.log10_lr for system in ratios.systems[1:] for p in system.tippett]
    most = max(1.0, *(abs(end) for end in ends)) * 1.1
    axes = _Axes((-most, most), (0.0, 1.0))
    lines: list[Line] = []
    names = class_names(ratios.kind)
    for system in ratios.systems[1:]:
        for is_manipulated, name in ((True, names.manipulated), (False, names.unmanipulated)):
            # Each level's share extends down to the level before it.
            path = f"M{axes.across(-most)} {axes.up(1.0)}"
            for point in system.tippett:
                share = point.manipulated if is_manipulated else point.unmanipulated
                path += f"V{axes.up(share)}H{axes.across(point.log10_lr)}"
            path += f"V{axes.up(0.0)}H{axes.across(most)}"
            lines.append(_line(len(lines), f"{gettext(name)}, {system.name}", path))
    whole = [float(value) for value in range(-int(most), int(most) + 1)]
    return Plot(
        title=N_("Tippett plot"),
        text=gettext(
            "Shares of manipulated and unmanipulated files whose likelihood ratio is at least this large"
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
    """Plot the cost of the ratios by prior odds, with no statement and the best possible order."""
    odds = ratios.ece_odds
    curves = [
        (gettext("no statement"), ratios.ece_neutral),
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
            "Uncertainty that remains when the likelihood ratios are used at each prior odds. Lower is "
            "better; a curve above “no statement” does more harm than good"
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
    return Line(path, band, _COLOURS[number], _DASHES[number], name, BOTTOM + _LEGEND + _LEGEND_ROW * number)


def _height(lines: int) -> float:
    return BOTTOM + _LEGEND + _LEGEND_ROW * lines


def _ticks(place: Callable[[float], float], values: Sequence[float]) -> tuple[PlotTick, ...]:
    """Return ticks at ``values``, placed by ``place``."""
    return tuple(PlotTick(place(value), shown(value, "g").replace("-", "−")) for value in values)


def _band(axes: _Axes, ends: Sequence[tuple[float, float, float]]) -> str:
    upper = [(x, high) for x, _, high in ends]
    lower = [(x, low) for x, low, _ in reversed(ends)]
    return f"{axes.path([*upper, *lower])}Z"
