"""The report: `results/**` in, one Markdown page with its figures out.

`load.py` reads the stages' files into `records.py`; each section's module turns records into Markdown and pictures;
`write.py` puts the page in place whole. Every number on the page comes out of a file; nothing is fitted or tested here.
"""
