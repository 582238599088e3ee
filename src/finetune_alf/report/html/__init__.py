"""The page as one HTML file that opens from disk: no request leaves it, and its charts answer to the pointer.

`outline.py` puts what the report has in the order of the page, `templates/` lay it out, `inline.py` turns the report's
Markdown into HTML with all else escaped, and `render.py` puts it all into one file.
"""
