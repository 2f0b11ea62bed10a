"""Training, fusing and measuring the second look, the stronger network beside the one that scans."""
