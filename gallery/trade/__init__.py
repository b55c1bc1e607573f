"""Four statistical offices reconcile their trade with each other, after the UN PET Lab's first project.

Here live what is particular to it: commodity codes, signed parameters, reading of what an office has, the generator of the embedded
data, the study document, the plaintext oracle, the picture and the demonstration. It may import every room of `accord`.
"""
