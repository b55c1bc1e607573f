"""What the parties agreed: the study and consortium documents, keys, approvals, life cycle, receipts, ledgers.

Documents and signatures only: nothing here runs a study, moves a byte between parties, or touches a share. May import
`base` to `frame`.
"""
