"""States of an analysis, its queue and the broker. The processes that do the work are in `worker`."""
