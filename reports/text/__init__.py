"""What reports say in words: numbers, dates, probabilities, standard sentences, and their translation.

Sentences are of videos; what a report about a photograph says instead is in :mod:`~reports.text.photographs`.
Which of them stand where is decided in :mod:`reports.view`.
"""
