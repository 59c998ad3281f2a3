"""Layer 0: what comes in and what is kept. Knows nothing of features."""
