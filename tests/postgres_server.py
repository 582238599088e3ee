"""A PostgreSQL server of the tests' own: Debian's or PATH's programs, a Unix socket in a temporary folder."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PASSWORD = "canary-5e12"  # noqa: S105 - of a server that is removed
"""The password of the user `alf`; no message, log or file of the package may have it."""

_ADMINISTRATOR = "postgres"


def find_programs() -> Path | None:
    """Return the folder of `postgres`, which Debian does not put on PATH; None where there is none."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "postgres").exists()), None)


class PostgresServer:
    """A running server with the database `studies` of the user `alf`, who is no administrator."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs

    @property
    def url(self) -> str:
        """The URL with its password."""
        return f"postgresql://alf:{PASSWORD}@/studies?host={self.folder}"

    def command(self, *words: str, **options: object) -> str:
        """Run a program of PostgreSQL's as a user who is not root, and return its output."""
        before = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*before, str(self._programs / words[0]), *words[1:]], cwd="/", capture_output=True, text=True, **options
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stderr or done.stdout}")
        return done.stdout

    def create(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (self.folder, password):
                shutil.chown(path, "postgres")
        access = ["--auth=scram-sha-256", f"--username={_ADMINISTRATOR}", f"--pwfile={password}"]
        self.command("initdb", f"--pgdata={self.folder}/data", "--encoding=UTF8", "--locale=C", "--no-sync", *access)
        self.start()
        self.sql(f"CREATE ROLE alf LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        self.sql("CREATE DATABASE studies OWNER alf", database="postgres")

    def start(self, **settings: object) -> None:
        """Start the server and wait until it answers."""
        given = {"listen_addresses": "''", "unix_socket_directories": self.folder, "fsync": "off", **settings}
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        self.command(
            "pg_ctl",
            "start",
            "--wait",
            f"--pgdata={self.folder}/data",
            f"--log={self.folder}/log",
            f"--options={options}",
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` is as a crash, after which it recovers."""
        self.command("pg_ctl", "stop", f"--mode={mode}", "--wait", f"--pgdata={self.folder}/data")

    def sql(self, query: str, database: str = "studies") -> list[str]:
        """Return the rows of a query, columns joined by |."""
        words = ["--no-psqlrc", "--tuples-only", "--no-align", f"--host={self.folder}", f"--username={_ADMINISTRATOR}"]
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        out = self.command("psql", *words, f"--dbname={database}", f"--command={query}", env=environment)
        return [line for line in out.split("\n") if line]


@contextlib.contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    """Yield a new server, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="alf-pg-", dir="/tmp"))  # the path of a socket is at most 107 bytes long
    server = PostgresServer(folder, programs)
    try:
        server.create()
        yield server
    finally:
        with contextlib.suppress(RuntimeError):  # it is stopped
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
