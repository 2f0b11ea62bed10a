"""What the findings amount to, within which validated domain, and how reproducible they are."""
