"""Keys, and signatures of PDFs and manifests. :mod:`reports.verification` checks them."""
