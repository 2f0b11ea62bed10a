"""Keys, and signatures of PDFs and manifests. :mod:`verification` checks them."""
