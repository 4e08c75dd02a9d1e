"""The running engine: a child process that keeps its model loaded and speaks JSON lines, and a client for it."""
