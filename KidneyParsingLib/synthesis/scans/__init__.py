"""Made scans with their truth: geometry, test split, contact sheets."""
