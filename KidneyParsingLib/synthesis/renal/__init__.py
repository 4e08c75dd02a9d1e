"""Kidneys with what enters and leaves them."""
