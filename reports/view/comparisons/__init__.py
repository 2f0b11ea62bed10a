"""Comparisons with a reference as they are shown. No markup.

:mod:`~reports.view.comparisons.view` is a comparison in words, with :mod:`~reports.view.comparisons.facts` of
both files, :mod:`~reports.view.comparisons.time_map`, and :mod:`~reports.view.comparisons.triples` of
pictures.
"""
