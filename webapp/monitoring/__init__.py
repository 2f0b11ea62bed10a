"""Readiness and figures for Prometheus. The routes that publish them are in `pages`."""
