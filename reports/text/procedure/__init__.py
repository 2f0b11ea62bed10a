"""How a finding came about, in the order of the work: that about a video, and that about a photograph."""
