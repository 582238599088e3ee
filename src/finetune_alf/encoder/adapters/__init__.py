"""Adapters in a live encoder: built in by `install`, saved apart from the encoder by `save`."""
