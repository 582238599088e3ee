"""Stages: read what the stage before wrote, do the work, write what the next one reads.

A stage takes a Context and a name, holds its own lock while it writes, and leaves its outputs whole or not at all.
"""
