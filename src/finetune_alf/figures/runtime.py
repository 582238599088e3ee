"""What draws pictures in a browser: Vega, Vega-Lite and Vega-Embed as one script that needs no network."""

from functools import cache


@cache
def vega_script() -> str:
    """Return the script, which defines `vegaEmbed`; a first call takes seconds."""
    import vl_convert

    return str(vl_convert.javascript_bundle(SNIPPET)).strip()


SNIPPET = "window.vegaEmbed = vegaEmbed;"
