"""The language that reports and pages speak: catalogues, and what of stored results is looked up in them.

Texts go through :mod:`~reports.text.translation.language`, which speaks one of
:mod:`~reports.text.translation.languages`. It looks messages up in
:mod:`~reports.text.translation.catalogues`; a stored sentence, whose placeholders are filled, goes to
:mod:`~reports.text.translation.filled_messages`, which finds the message it was made of.
:mod:`~reports.text.translation.words` and :mod:`~reports.text.translation.card_words` mark for the catalogues
words of schemas, rows and cards, which stay English there.
"""
