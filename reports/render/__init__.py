"""From the view model to HTML, PDF and the files of a result. What is said is decided in `view`.

:mod:`~reports.render.write` writes a report with all that goes with it (:mod:`~reports.render.attachments`),
by :mod:`~reports.render.html` and :mod:`~reports.render.pdf`. Both fill the same templates
(:mod:`~reports.render.html`); for the PDF :mod:`~reports.render.markup` gives the filled one to WeasyPrint,
:mod:`~reports.render.pdf_conformance` finishes its document, :mod:`~reports.render.unprintable` puts in words
what no font can show, and :mod:`~reports.render.pdf_digest` puts the digest into the bytes.
:mod:`~reports.render.validation` does the same for a validation's report; :mod:`~reports.render.result`
writes the folder of a result without a report.
"""
