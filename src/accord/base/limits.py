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
PARTIES_MAX = 512
NAME_CHARACTERS_MAX = 63
CATEGORY_VALUES_MAX = 10_000
DOMAIN_CELLS_MAX = 5_000_000
"""Cells of one dense public grid (the product of a group-by's declared domains)."""
GROUPINGS_MAX = 64
"""Groupings of one GROUP BY: each is a step of its own, and an owner shares its part of each."""
LEVEL_CHOICES_MAX = 64
"""Choices of generalisation levels that a release of microdata tries: servers sort all rows for each."""
PUBLIC_ROWS_MAX = 200_000
"""Rows of one public table, declared or computed at plan time: they stand in the signed plan."""

EARLIER_RELEASES_MAX = 32
"""Earlier releases of the same data that a release is compared with: beyond, owners refuse, since each comparison costs a run."""
STOPPED_MAX = 10
"""Runs over one version of an owner's data that may be stopped for being too close to earlier ones, where its policy says nothing."""
MASKS_MAX = 9
"""Row masks of one GROUP BY that are compared: the whole group's, and two for each condition inside its sums and counts."""

BLOCK_ROWS = 1 << 17
"""Rows of one block in `in_blocks`, at most: more of them would leave the cache, fewer would cost more to start than to compute. A
multiple of 64."""
BLOCKS_IN_FLIGHT = 4

FRAME_PAYLOAD_BYTES_MAX = 1 << 30
PATH_BYTES_MAX = 1_024
HANDSHAKE_PAYLOAD_BYTES_MAX = 1 << 14
OUTBOX_FRAMES_MAX = 64
OUTBOX_BYTES_MAX = 1 << 26
"""What one connection's queue may hold before its server waits, between two exchanges, for the peer to read."""
INBOX_BYTES_MAX = 1 << 30
"""What a server keeps of a peer that runs ahead; beyond it the peer is left to wait."""
LINK_BYTES_MAX = 1 << 38
"""Bytes on one TLS connection: AES-GCM stays below 2^24.5 records of one key (RFC 8446, 5.5)."""
CONNECT_TIMEOUT_SECONDS = 30
DIAL_PAUSE_SECONDS = 0.05
HANGUP_TIMEOUT_SECONDS = 1
"""How long a failing server may take to tell its peers why, and to hear why they failed."""
ROUND_TIMEOUT_SECONDS = 60
STUDY_TIMEOUT_SECONDS = 3_600
STOP_TIMEOUT_SECONDS = 2
"""How long a server process may take to end by itself after another one failed."""

KEY_BYTES = 16
"""AES-128 pair keys."""
NONCE_BYTES = 32
SALT_BYTES = 32

assert VALUE_BITS_MAX <= RING_BITS_MAX - 2, "truncation needs two slack bits"
assert BLOCK_ROWS % 64 == 0, "bit-planes hold 64 rows a word"
assert HANGUP_TIMEOUT_SECONDS < CONNECT_TIMEOUT_SECONDS
assert OUTBOX_BYTES_MAX <= INBOX_BYTES_MAX, "what one server may queue, the next can keep"
assert CONNECT_TIMEOUT_SECONDS <= ROUND_TIMEOUT_SECONDS < STUDY_TIMEOUT_SECONDS
assert PUBLIC_ROWS_MAX <= DOMAIN_CELLS_MAX, "a computed public table is a grid too"
assert ROWS_MAX < 2**31 and DOMAIN_CELLS_MAX <= ROWS_MAX, "row numbers must fit an index"
