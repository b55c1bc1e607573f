"""What other engines needed for the same work, as we measured them once: semi-honest, three servers of which two are honest.

All on one virtual machine of 2 cores x86-64 (AVX-512, VAES) and 24 GiB, Debian 12, Python 3.11, on 2026-11-22: three processes on
loopback, one worker thread each, medians; without compilation, process start, sharing of inputs and opening of outputs.
"""

from __future__ import annotations

from typing import NamedTuple


class Peer(NamedTuple):
    """One figure: the case of ours that does the same, rows, engine, seconds, and what has to be known of it."""

    case: str
    rows: int
    engine: str
    seconds: float
    note: str = ""


VERSIONS = "MP-SPDZ v0.4.2-16 (Rep3, ring of 64 bits), SPU 0.9.5 (ABY3), ORQ of September 2025 (3PC, MPI over TCP), CrypTen 0.4.1"
NO_TLS = "without TLS"

PEERS = (
    Peer("multiply", 10**6, "MP-SPDZ", 0.052, "TLS"),
    Peer("multiply", 10**6, "MP-SPDZ", 0.048, NO_TLS),
    Peer("multiply", 10**6, "ORQ", 0.058, NO_TLS),
    Peer("multiply", 10**6, "SPU", 0.084, NO_TLS),
    Peer("less_than", 10**6, "MP-SPDZ", 1.04, "TLS"),
    Peer("less_than", 10**6, "MP-SPDZ", 0.48, NO_TLS),
    Peer("less_than", 10**6, "ORQ", 0.514, "inputs already boolean, without TLS"),
    Peer("less_than", 10**6, "SPU", 1.48, NO_TLS),
    Peer("less_than32", 10**6, "ORQ", 0.23, "inputs already boolean, without TLS"),
    Peer("equality", 10**6, "SPU", 0.342, NO_TLS),
    Peer("equality", 10**6, "ORQ", 0.379, "inputs already boolean, without TLS"),
    Peer("equality", 10**6, "MP-SPDZ", 2.24, "TLS"),
    Peer("equality", 10**6, "MP-SPDZ", 0.92, NO_TLS),
    Peer("shuffle", 10**6, "MP-SPDZ", 0.317, "TLS"),
    Peer("shuffle", 10**6, "MP-SPDZ", 0.31, NO_TLS),
    Peer("shuffle", 10**6, "ORQ", 0.454, NO_TLS),
    Peer("sort32", 10**5, "ORQ", 1.30, "quicksort, without TLS"),
    Peer("sort32", 10**5, "MP-SPDZ", 4.67, NO_TLS),
    Peer("sort32", 10**5, "SPU", 10.0, "one run, without TLS"),
    Peer("sort32", 10**6, "ORQ", 19.4, "quicksort, without TLS"),
    Peer("sort32", 10**6, "MP-SPDZ", 44.9, "without payload, without TLS"),
    Peer("sort32", 10**6, "SPU", 51.7, "quicksort without payload, one run, without TLS"),
    Peer("fixed_product", 10**5, "MP-SPDZ", 0.017, NO_TLS),
    Peer("fixed_product", 10**5, "SPU", 0.033, NO_TLS),
    Peer("division", 10**5, "MP-SPDZ", 0.49, NO_TLS),
    Peer("division", 10**5, "SPU", 0.78, NO_TLS),
    Peer("division", 10**5, "CrypTen", 1.67, "trusted dealer, without TLS"),
    Peer("sqrt", 10**5, "CrypTen", 0.84, "trusted dealer, without TLS"),
    Peer("sqrt", 10**5, "MP-SPDZ", 1.03, NO_TLS),
    Peer("sqrt", 10**5, "SPU", 1.08, NO_TLS),
    Peer("log", 10**5, "MP-SPDZ", 1.02, NO_TLS),
    Peer("log", 10**5, "SPU", 1.46, NO_TLS),
    Peer("log", 10**5, "CrypTen", 1.96, "trusted dealer, without TLS"),
    Peer("exp", 10**5, "SPU", 0.146, "4.8 % wrong at x = 5, without TLS"),
    Peer("exp", 10**5, "MP-SPDZ", 0.28, NO_TLS),
    Peer("exp", 10**5, "CrypTen", 0.286, "trusted dealer, up to 5.9 % wrong at x = 5, without TLS"),
    Peer("logistic", 10**5, "MP-SPDZ", 0.65, NO_TLS),
    Peer("logistic", 10**5, "SPU", 0.91, NO_TLS),
    Peer("logistic", 10**5, "CrypTen", 1.07, "trusted dealer, without TLS"),
    Peer("matmul", 512, "CrypTen", 0.21, "trusted dealer, 13 entries off by 1.0, without TLS"),
    Peer("matmul", 512, "SPU", 0.49, NO_TLS),
    Peer("matmul", 512, "MP-SPDZ", 0.86, "fastest batch, without TLS"),
)

RELATIONAL = (
    Peer("group_by_sum", 10**5, "ORQ", 3.94, NO_TLS),
    Peer("group_by_sum", 10**5, "SPU", 11.0, "one run, without TLS"),
    Peer("group_by_sum", 10**6, "ORQ", 48.5, NO_TLS),
    Peer("join_pk_fk", 10**5, "ORQ", 7.64, "one copied column, without TLS"),
)
