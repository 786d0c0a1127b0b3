"""The server of the library websockets: `python websocket_server.py [CERTIFICATE]` prints its port and serves."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Sequence

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import NegotiationError
from websockets.typing import Subprotocol

KNOWN = Subprotocol("v2.chat")


async def talk(ws: ServerConnection) -> None:
    """Do what the path says."""
    path = ws.request.path if ws.request is not None else ""
    if path == "/close":
        await ws.close(4001, "not\x1b here")
    elif path == "/chat":
        await ws.send("welcome")
    elif path == "/flood":
        for _ in range(100):
            await ws.send("x" * 10_000)
    async for message in ws:
        await ws.send(message[::-1] if path == "/mirror" else message)


def choose(_ws: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose the one that there is; without an offer none is needed."""
    if not offered or KNOWN in offered:
        return KNOWN if offered else None
    raise NegotiationError("no subprotocol in common")


async def main() -> None:
    """Serve until killed."""
    context = None
    if sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
    server: Server
    async with serve(talk, "127.0.0.1", 0, ssl=context, select_subprotocol=choose) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
