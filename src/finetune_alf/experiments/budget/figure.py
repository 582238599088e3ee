"""Figures of a budget."""
