"""Layer 2: learning and judging."""
