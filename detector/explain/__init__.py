"""Heatmaps of peak frames, their verification by occlusion, and the pictures drawn from them."""
