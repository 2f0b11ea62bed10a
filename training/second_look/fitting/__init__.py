"""Fit fusion, thresholds and calibration to given weights; no network is trained here."""
