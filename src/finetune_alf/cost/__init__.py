"""What a fit will cost in arithmetic, memory and time. Pure: shapes, lengths and rates in, numbers out.

The machine's own speed is measured in `stages/probe.py`.
"""
