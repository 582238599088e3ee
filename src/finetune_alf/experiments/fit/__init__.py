"""Experiment `fit`: one classifier for use, by the scheme that a study's evidence recommends, saved as a folder."""
