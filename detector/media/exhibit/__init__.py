"""The exhibit before anything is decoded: what its first bytes say it is, what it may hold, boxes, texts."""
