"""An owner's data: its declared schema, reading CSV and Parquet through DuckDB, checking, local steps, input packages.

Runs on the owner's machine only; plain values never leave it except as shares. No row is dropped silently. May import
`base`, `wire` and `mpc`.
"""
