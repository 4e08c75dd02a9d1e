"""How near made CT is to real CT: the same measures taken of both, compared row by row with a stated tolerance.

Training and inference do not use it. `Testing/benchmarks/realism.py` runs it; docs/realism.md holds its last table.
"""
