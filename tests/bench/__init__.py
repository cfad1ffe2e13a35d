"""`make bench`: what Harrier moves per second, beside what its two ends allow. Prints numbers, asserts nothing."""
