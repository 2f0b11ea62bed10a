"""Voices: decode the sound, find speech, score it in windows, explain and judge it."""
