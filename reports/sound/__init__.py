"""The section on the voices: what was found in the sound, how much of it was judged, and what that means."""
