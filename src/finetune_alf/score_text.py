"""How scores and their differences are written for people, on terminals, pages and cards alike."""


def score_text(value: float) -> str:
    """Write a score to three places, without the zero before the point: .812, 1.000, -.125; .000 has no sign."""
    text = f"{abs(value):.3f}".removeprefix("0")
    return f"-{text}" if value < 0 and text != ".000" else text


def signed_text(value: float) -> str:
    """Write a difference or a correlation with its sign: +.012; one that rounds to nothing has none."""
    text = score_text(value).removeprefix("-")
    return text if text == ".000" else f"{'-' if value < 0 else '+'}{text}"
