"""Experiments, one room each: spec, cells, stage, document, page, figure, published numbers."""
