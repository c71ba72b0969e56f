"""A proxy to another host and port, which a test can cut: `python -m dev.tcp_proxy PORT HOST:PORT`.

The emulator of AWS loses its last seconds, and all mail, when it is killed; AWS does not. Killing
the proxy instead cuts every call in its middle: some have been carried out, and their answers are
lost; some never arrived.
"""

import asyncio
import sys
from contextlib import suppress

from dev.ports import HOST


async def main(port: int, host: str, target: int) -> None:
    async def travel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(host, target)
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        writer.close()

    server = await asyncio.start_server(travel, HOST, port)
    async with server:
        await server.serve_forever()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    sink.close()


if __name__ == "__main__":
    _, own, target = sys.argv
    name, _, number = target.rpartition(":")
    asyncio.run(main(int(own), name, int(number)))
