"""Samples: rows drawn from a source, split, with a digest, stored as Parquet.

`spec` describes a sample and `source_spec` its source, `source` reads the rows of a source, `draw` selects them,
`sample` stores them, and `prepare` runs all steps. Only this package imports `datasets` and `pyarrow`.
"""
