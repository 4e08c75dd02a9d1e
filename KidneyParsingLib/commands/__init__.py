"""One file per subcommand of `kidneyparsing`: `add_..._parser` declares it, `run_...` does it and returns exit code.

Nothing heavy is imported before a command runs, so that `--help` and wrong arguments are answered at once.
"""
