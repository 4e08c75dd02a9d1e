"""Published networks, one file each, built from a config; shared blocks once; a registry by name."""
