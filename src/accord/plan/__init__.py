"""A study's question as data: types with ranges, expressions, nodes; placement, lowering to `mpc`, explanation.

Nothing here opens a value or judges a release, and nothing parses text. May import `base` to `data`.
"""
