"""Every bound of the system in one place; the unit or qualifier stands last; relations are asserted."""

from __future__ import annotations

PROTOCOL_VERSION = 1
"""Enters every handshake, coin label and study hash: versions cannot talk by accident."""

SERVERS = 3
RING_BITS_MAX = 64
VALUE_BITS_MAX = 62
"""A secret value's magnitude stays below 2^62: wrap-fixed truncation and comparison need two slack bits."""

ROWS_MAX = 20_000_000
"""Rows of one secret table."""
PARTIES_MAX = 64
NAME_CHARACTERS_MAX = 63
CATEGORY_VALUES_MAX = 10_000
DOMAIN_CELLS_MAX = 5_000_000
"""Cells of one dense public grid (the product of a group-by's declared domains)."""

BLOCK_ROWS = 1 << 15
"""Rows of one block in `in_blocks`: its masks and planes stay in a core's cache. A multiple of 64."""
BLOCKS_IN_FLIGHT = 4

FRAME_PAYLOAD_BYTES_MAX = 1 << 30
PATH_BYTES_MAX = 1_024
OUTBOX_FRAMES_MAX = 64
CONNECT_TIMEOUT_SECONDS = 30
ROUND_TIMEOUT_SECONDS = 60
STUDY_TIMEOUT_SECONDS = 3_600

KEY_BYTES = 16
"""AES-128 pair keys."""
NONCE_BYTES = 32
SALT_BYTES = 32

assert VALUE_BITS_MAX <= RING_BITS_MAX - 2, "truncation needs two slack bits"
assert BLOCK_ROWS % 64 == 0, "bit-planes hold 64 rows a word"
assert CONNECT_TIMEOUT_SECONDS <= ROUND_TIMEOUT_SECONDS < STUDY_TIMEOUT_SECONDS
assert ROWS_MAX < 2**31 and DOMAIN_CELLS_MAX <= ROWS_MAX, "row numbers must fit an index"
