"""TPC-H, the benchmark of decision support, over three owners: a suppliers' side, a customers' side, a registry of nations and parts.

Here live its tables' declarations, its 22 questions from their standard SQL text, the making of its data, and the run that compares each
question with DuckDB on the pooled rows: what `accord bench tpch` does. It may import every room of `accord`.
"""
