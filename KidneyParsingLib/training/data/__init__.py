"""Data sets to train on: their layouts on disk and what is drawn from their scans."""
