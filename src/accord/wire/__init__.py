"""Bytes between parties: exchanges, frames, drivers, and the links in one process, on a simulated network, over TLS.

Nothing here knows what a share is: a payload is an array of bytes at a structural path. Faults abort; nothing is
sent twice and nothing resumes. May import `base`.
"""
