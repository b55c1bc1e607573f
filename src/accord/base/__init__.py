"""Values and limits: rings Z_2^k as columns, fixed point, canonical bytes, names, limits, errors.

What lives here is pure: no input or output, no coins, no policy about secrets. It imports nothing of Accord.
"""
