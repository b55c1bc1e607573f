"""Four statistical offices reconcile their trade with each other, after the UN PET Lab's first project.

Here live what is particular to it: commodity codes, signed parameters, reading of what an office has, the generator of the embedded
data, the plaintext oracle and the picture. Nothing here touches shares, keys or the network. It may import `accord.base`, DuckDB and
NumPy.
"""
