"""One party's service: the folders of a study, compiling it, the owner's, a server's and a recipient's part of a run.

Here a signed study meets files, processes and sockets; the mathematics is elsewhere. May import `base` to `study`.
"""
