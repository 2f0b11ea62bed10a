"""The timeline as a drawing: geometry of one figure for web page, HTML and PDF. No markup.

:mod:`~reports.view.timeline.drawing` is the figure, one of :mod:`~reports.view.timeline.lanes` a person with
its :mod:`~reports.view.timeline.score_curves`, placed by :mod:`~reports.view.timeline.scale` over
:mod:`~reports.view.timeline.ticks`. The markup is ``templates/macros/timeline.html``.
"""
