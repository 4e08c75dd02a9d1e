"""Losses, sampling, the trainer."""
