"""Free ports, held until the moment that their process takes them."""

import json
import socket
from pathlib import Path

from dev.errors import Failed

HOST = "127.0.0.1"


class PortTaken(Failed):
    """Somebody else listens there."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Port {number} is taken.")
        self.number = number


class Port:
    """A port that nobody else can take before `release`."""

    def __init__(self, number: int = 0, *, silent: bool = False) -> None:
        """0: any free one. Silent: who connects before `release` is refused, and need not wait.
        Raises PortTaken."""
        self._socket = socket.socket()
        try:
            if silent:
                self._socket.bind((HOST, number))
            else:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._socket.bind((HOST, number))
                # Only a listening socket keeps others away when both reuse addresses.
                self._socket.listen()
        except OSError:
            self._socket.close()
            raise PortTaken(number) from None
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> int:
        """The number, for the process that is started now."""
        self._socket.close()
        return self.number


def front_ports(core: int | None, stats: int | None) -> tuple[Port, Port]:
    """The ports of the two services: those asked for, else 8000 and 8001 or the next free pair.

    Raises PortTaken when one that was asked for is taken.
    """
    for offset in range(0, 1000, 2):
        held: list[Port] = []
        try:
            for asked, usual in ((core, 8000), (stats, 8001)):
                held.append(Port(asked or usual + offset))
            return held[0], held[1]
        except PortTaken as taken:
            for port in held:
                port.release()
            if taken.number in (core, stats):
                raise
    raise Failed("No two ports are free between 8000 and 9000.")


def inner_ports(
    rows: list[list[str]], memory: Path, *, usual: dict[str, int] | None = None
) -> dict[str, Port]:
    """A port for each name, those of a row one after the other; the same as the last time, or at
    first the usual one, where they are still free."""
    known: dict[str, int] = usual or {}
    if memory.exists():
        known = {**known, **json.loads(memory.read_text())}
    ports: dict[str, Port] = {}
    for names in rows:
        ports |= zip(names, adjacent_ports(known.get(names[0], 0), len(names)), strict=True)
    memory.write_text(json.dumps({name: port.number for name, port in ports.items()}))
    return ports


def adjacent_ports(first: int, count: int) -> list[Port]:
    """From the first on, or from any where one of them is taken or the first is 0."""
    held: list[Port] = []
    while len(held) < count:
        try:
            held.append(Port(held[-1].number + 1 if held else first))
        except (PortTaken, OverflowError):
            for port in held:
                port.release()
            first, held = 0, []
    return held
