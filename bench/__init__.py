"""Measurements: bytes and rounds as golden files, times as a trend. Run with `./dev bench`; nothing in the package imports it."""
