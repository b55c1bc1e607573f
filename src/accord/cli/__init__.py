"""The command `accord`.

What a person types and reads lives here: arguments, questions, progress, tables, one-line errors, exit codes. Nothing is decided here
that a caller from Python could not ask of the rooms above; no protocol, rule or file format stands in this room. It may import every room
but testing, and `accord.gallery`; what a command needs is imported when it is called, so that `accord --help` stays quick.
"""
