"""`python3 -m harness.network.relay`: one process that listens before every server and relays to it.

Its only argument is JSON: `{"control": port, "folder": where the configurations of the clients are,
"listeners": [[node, port, server's port], ...]}`. On the control port it takes one JSON object per line
(`{"held": [...], "slow": [...]}`: all rules, replacing what was), and answers each with a line `ok`."""

import asyncio
import json
import sys

from .owner import Owners
from .rules import Rules
from .way import Client, Way

CHUNK_BYTES = 64 << 10
ERRORS = (OSError, asyncio.IncompleteReadError)


class Relay:
    """All listeners, with one set of rules."""

    def __init__(self, setup: dict) -> None:
        self._setup, self._rules, self._owners = setup, Rules(), Owners(setup["folder"])

    async def run(self) -> None:
        servers = [await asyncio.start_server(self._control, "127.0.0.1", self._setup["control"])]
        for node, port, server_port in self._setup["listeners"]:
            accept = self._acceptor(node, port, server_port)
            servers.append(await asyncio.start_server(accept, "127.0.0.1", port, backlog=512))
        await asyncio.gather(*(server.serve_forever() for server in servers))

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            rules = json.loads(line)
            self._rules.set(rules["held"], rules["slow"])
            writer.write(b"ok\n")
            await writer.drain()
        writer.close()

    def _acceptor(self, node: str, port: int, server_port: int):
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            client = Client(self._owners, writer.get_extra_info("peername")[1], port)
            there, back = Way(client, node, there=True), Way(client, node, there=False)
            try:
                # A connection needs both ways.
                await self._rules.opened(there)
                await self._rules.opened(back)
                await self._rules.drag(there, 0)
                server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server_port)
            except ERRORS:
                writer.transport.abort()
                return
            await asyncio.gather(self._pump(reader, server_writer, there), self._pump(server_reader, writer, back))
            for one in (writer, server_writer):
                one.close()

        return accept

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        try:
            while True:
                # Nothing is read meanwhile: what is sent stays in the buffers of the kernel, and then with the sender.
                await self._rules.opened(way)
                data = await reader.read(CHUNK_BYTES)
                await self._rules.opened(way)
                if not data:
                    break
                await self._rules.drag(way, len(data))
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except ERRORS:
            writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(Relay(json.loads(sys.argv[1])).run())
