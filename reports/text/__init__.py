"""What reports say in words: standard sentences, terms, numbers and dates.

:mod:`~reports.text.translation` brings them into the reader's language, :mod:`~reports.text.certainty` says
how sure a figure is, :mod:`~reports.text.procedure` how a finding came about. Sentences are of videos; what a
report about a photograph says instead is in :mod:`~reports.text.photographs`, what is said of an open verdict
of either in :mod:`~reports.text.inconclusive`. Which of them stand where is decided in :mod:`reports.view`.
"""
