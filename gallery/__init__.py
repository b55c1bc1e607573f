"""Published systems, each as a study that runs: one folder a system, with its data, its parameters and a plaintext oracle.

Nothing of the product lives here: a folder may import every room of `accord`, and no room imports a folder (the command finds them by
name). In the wheel this is `accord.gallery`.
"""
