"""The cost of a fit: floating-point operations, memory and time. Pure: shapes, lengths and rates in, numbers out.

The machine's speed is measured in `planning/probe.py`.
"""
