"""A command in a terminal of 80 columns."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

N_COLUMNS = 80


def in_terminal(words: list[str], directory: Path) -> str:
    """Return all that a command writes to a terminal; it must succeed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, N_COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(words, cwd=directory, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 1 << 16):
            written += part
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    text = written.decode().replace("\r\n", "\n")
    assert process.wait(timeout=300) == 0, text
    return text
