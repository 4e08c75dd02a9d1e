"""Locate the kidneys -> crop -> predict -> paste back -> clean up -> sides."""
