"""The PostgreSQL server that holds studies: its URL, which may have a password, and what of it may be shown."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

STORE_VARIABLE = "ALF_STUDY_STORE"
"""The environment variable with the URL, for one with a password; it replaces that of params.yaml."""

_FORM = "must be postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True)
class StudyServer:
    """A database of a PostgreSQL server, and the project whose studies are meant; ValueError for another URL.

    The message has no part of the URL.
    """

    url: str = field(repr=False)
    project: str

    def __post_init__(self) -> None:
        check_url(self.url)

    @property
    def place(self) -> str:
        """Host and database, for messages."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query))
        host = ":".join(map(str, filter(None, (parts.hostname, parts.port)))) or query.get("host", "")
        return f"postgresql://{host}{parts.path}"


def check_url(url: str) -> None:
    """Raise ValueError, with no part of the URL in it, unless it names a database of a PostgreSQL server."""
    try:
        parts = urlsplit(url)
        named = parts.path.count("/") == 1 and len(parts.path) > 1 and parts.port != 0
        complete = named and parts.netloc.count("@") < 2  # else libraries disagree on where the password ends
    except ValueError:
        complete = False
    if not complete or parts.scheme not in ("postgresql", "postgresql+psycopg"):
        raise ValueError(f"{_FORM}; special characters in a password are written as %XX") from None


def public_url(url: str) -> str:
    """Return a URL that may stand in a file; ValueError for one with a password, or one that `check_url` refuses."""
    check_url(url)
    parts = urlsplit(url)
    if parts.password is not None or any("password" in key.lower() for key, _ in parse_qsl(parts.query)):
        raise ValueError(
            f"{_FORM}, without a password: put the whole URL into the environment variable {STORE_VARIABLE}, or the "
            "password into PGPASSWORD or ~/.pgpass"
        )
    return url
