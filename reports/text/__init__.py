"""What reports say in words: standard sentences, terms, numbers and dates.

- The verdict: :mod:`~reports.text.verdict_sentence`, :mod:`~reports.text.meaning` and what it does not mean,
  :mod:`~reports.text.inconclusive` where it is open, :mod:`~reports.text.not_examined`,
  :mod:`~reports.text.covered` faces; :mod:`~reports.text.heatmaps`; the terms
  (:mod:`~reports.text.glossary`). How sure a figure is says :mod:`~reports.text.certainty`, how a finding
  came about :mod:`~reports.text.procedure`. Sentences are of videos; what a report about a photograph says
  instead is in :mod:`~reports.text.photographs`. :mod:`~reports.text.made_since` tells by which version, and
  so by which rules, an analysis was made.
- Parts of sentences: :mod:`~reports.text.numbers`, :mod:`~reports.text.dates`, :mod:`~reports.text.free_text`
  that people wrote, :mod:`~reports.text.actors` for who did something, :mod:`~reports.text.custody_details`
  of entries of the custody log, :mod:`~reports.text.model_titles`; :mod:`~reports.text.verdict_marks` are
  class and icon.
- :mod:`~reports.text.translation` brings all of it into the reader's language.

Which sentences stand where is decided in :mod:`reports.view`.
"""
