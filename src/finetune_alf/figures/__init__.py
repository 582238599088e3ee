"""Figures, drawn with Vega-Altair: a plain record in, a `Picture` out.

`<figure>_info` computes what is shown, and the figure's own function draws it, as in Optuna. `lines`, `intervals`,
`dots`, `bars` and `scatter` are kinds of charts that experiments share. Equal records give equal pictures. Altair is
imported when the first figure is drawn. No file is read or written.
"""
