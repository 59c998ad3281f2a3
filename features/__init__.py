"""Layer 1: what is known about one lead at one moment. Pure: no clock, no I/O, no randomness."""
