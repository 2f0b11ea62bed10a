"""Measure given weights; some figures go onto the card. Nothing is fitted or trained here."""
