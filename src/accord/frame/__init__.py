"""How people ask: SQL and Ibis expressions become plan nodes, nothing else; and the plaintext oracle of what they asked.

sqlglot parses and qualifies, we translate its tree; nothing here parses text, places a step or opens a value. May import `base` to
`stats`.
"""
