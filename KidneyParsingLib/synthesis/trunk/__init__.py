"""The patient around the kidneys."""
