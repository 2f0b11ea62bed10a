"""Keys, and signatures of PDFs and manifests. How they are checked is in `verification.signatures`.

:mod:`~reports.signing.keys` signs with a key, manifests itself; :mod:`~reports.signing.pdf` signs reports,
which :mod:`~reports.signing.pdf_structure` keeps PDF/UA.
:mod:`~reports.signing.timestamps` adds trusted time. :mod:`~reports.signing.signed_validation` writes and
signs the folder of a laboratory's validation.
"""
