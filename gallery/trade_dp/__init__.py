"""The four offices' totals per pair, published with differential privacy: the trade study's figures, with noise that nobody knows."""
