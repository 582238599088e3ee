"""Samples: rows drawn once from a source, split, fingerprinted and kept in Parquet.

spec.py says what is asked, source.py where rows come from, draw.py which of them are taken, sample.py how they are
kept, prepare.py all of it in one call. The libraries `datasets` and `pyarrow` stay behind this package.
"""
