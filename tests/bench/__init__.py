"""`make bench`: throughput, lag, CPU and memory on real servers. Prints, asserts nothing."""
