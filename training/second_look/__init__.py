"""Train, fuse and measure the second look, the stronger network beside the scan."""
