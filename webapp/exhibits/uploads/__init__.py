"""Uploads: resumable ones, accepted kinds of files, quotas, and the sample."""
