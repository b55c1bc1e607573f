"""Published helpers for tests: a world of three servers in one process, exact view checks, sabotage.

No product code lives here, and nothing of Accord imports it. It may import every room.
"""
