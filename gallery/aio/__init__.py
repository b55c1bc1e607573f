"""Which pensioners may be owed a supplement (the Dutch AIO): the pension office asks, the income register never learns of whom.

The pension office knows households and the norm that applies to each; the income register knows incomes. One bit a household, whether
its approximate net income lies below its norm, goes to the pension office; no income does, and the register sees neither list nor answer.
"""
