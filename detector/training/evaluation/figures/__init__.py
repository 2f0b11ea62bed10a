"""How good answers are, in numbers.

:mod:`.metrics` has figures of items that are manipulated or not, with intervals, :mod:`.temporal_metrics` of
when within a clip, :mod:`.heatmap_metrics` of where in a face, of maps that :mod:`.heatmap_methods` makes.
"""
