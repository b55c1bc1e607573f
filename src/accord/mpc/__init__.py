"""Secret arrays and the protocols on them, semi-honest, three servers, replicated shares over Z_2^k.

One protocol or one close family a file: a coroutine without I/O, its card, its declared cost, its ideal twin in
`ideal`. No sockets, clocks, files or `asyncio` live here. May import `base` and `wire`.
"""
