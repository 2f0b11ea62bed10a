"""Keys, and signatures of PDFs and manifests. How signatures are checked is in `verification.signatures`."""
