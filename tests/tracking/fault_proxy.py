"""A proxy in front of a server that can refuse connections, or hold back what a client sends."""

import contextlib
import socket
import threading
import time


class FaultProxy:
    """Forwards connections to a port of this machine; `is_down` refuses them, `delay_s` holds back each request."""

    def __init__(self, port: int) -> None:
        self.is_down, self.delay_s = False, 0.0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Refuse connections from now on, and cut those that are open."""
        self.is_down = True
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the proxy."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = None if self.is_down else socket.create_connection(("127.0.0.1", self._port))
                except OSError:
                    server = None
                if server is None:
                    client.close()
                    continue
                self._open += [client, server]
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                if is_request:
                    time.sleep(self.delay_s)
                target.sendall(chunk)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
