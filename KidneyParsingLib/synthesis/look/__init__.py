"""From tissues to HU: contrast phase, texture, scanner, artifacts."""
