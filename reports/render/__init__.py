"""From the view model to HTML, PDF and the files of a result. What is said is decided in `view`.

:mod:`~reports.render.write` writes a report with all that goes with it, by :mod:`~reports.render.html` and
:mod:`~reports.render.pdf`; :mod:`~reports.render.result` the folder of a result without one.
"""
