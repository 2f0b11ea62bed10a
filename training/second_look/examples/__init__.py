"""Examples of the second look and the scan: patches of the research data, and how they are sampled."""
