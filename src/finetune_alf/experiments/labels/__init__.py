"""Experiment `labels`: schemes by the number of labelled training texts, and how many texts a scheme is worth.

Every draw gives nested training splits, so that a larger one has all texts of a smaller one.
"""
