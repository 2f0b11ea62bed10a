"""Fusion, thresholds and calibration, and the figures they are chosen by; nothing here trains a network."""
