"""Whether a search over layers beats what it should be compared with, at equal budgets, replicated.

A replicate is the whole experiment done anew on other draws of texts and under other seeds. `arms.py` has the searches,
`procedure.py` what is done in a replicate, `line.py` what is kept of it, `analysis.py` and `spread.py` what is
concluded from all of them.
"""
