"""Many WebSockets through an edge, which count their messages, and new ones that open meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect as connect_here

from .host import Host


class Crowd:
    """WebSockets that send numbers without waiting for the echoes, and check that the echoes arrive in order."""

    def __init__(self, address: str, sockets: int) -> None:
        self._address = address
        self._end = Event()
        self.ready = Event()
        self.sent = [0] * sockets
        self.received = [0] * sockets
        self.problems: list[str] = []
        self.thread = Thread(target=lambda: asyncio.run(self._run()))
        self.thread.start()

    async def _run(self) -> None:
        try:
            gate = asyncio.Semaphore(20)
            sockets = await asyncio.gather(*(self._open(gate) for _one in self.sent))
            self.ready.set()
            await asyncio.gather(*(self._one(which, socket) for which, socket in enumerate(sockets)))
        except (OSError, WebSocketException, TimeoutError) as error:
            self.problems.append(repr(error))

    async def _open(self, gate: asyncio.Semaphore) -> ClientConnection:
        async with gate:
            return await connect(f"ws://{self._address}/", ping_interval=None)

    async def _one(self, which: int, socket: ClientConnection) -> None:
        async def receive() -> None:
            async for message in socket:
                if message != str(self.received[which]):
                    self.problems.append(f"{which}: {message} instead of {self.received[which]}")
                self.received[which] += 1
                if self._end.is_set() and self.received[which] == self.sent[which]:
                    return
            self.problems.append(f"{which}: closed with {socket.close_code}")

        receiving = asyncio.create_task(receive())
        while not (self._end.is_set() or receiving.done()):
            await socket.send(str(self.sent[which]))
            self.sent[which] += 1
            await asyncio.sleep(0.2)
        if self.received[which] < self.sent[which]:
            await asyncio.wait_for(receiving, 20)
        receiving.cancel()
        await socket.close()

    def end(self) -> None:
        """Stop sending, and wait for the remaining echoes."""
        self._end.set()
        self.thread.join(60)


class Knocking(Thread):
    """A thread that opens one WebSocket after the other."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._url = f"ws://{address}/"
        self._end = Event()
        self.opened = 0
        self.refused: list[str] = []

    def run(self) -> None:
        """Open WebSockets until `end`, and use each for one echo."""
        while not self._end.is_set():
            try:
                with connect_here(self._url, open_timeout=20) as socket:
                    socket.send("x")
                    assert socket.recv(20) == "x"
                self.opened += 1
            except (OSError, WebSocketException, TimeoutError) as error:
                self.refused.append(repr(error))

    def end(self) -> None:
        """Stop opening WebSockets."""
        self._end.set()
        self.join(60)


@contextmanager
def crowd(host: Host, sockets: int) -> Iterator[Crowd]:
    """Run so many SOCKETS during the block; check that all stay open, no message is lost, and no new one is refused."""
    with host.echo():
        found, knocking = Crowd(f"{host.address}:8091", sockets), Knocking(f"{host.address}:8091")
        try:
            assert found.ready.wait(60), found.problems
            knocking.start()
            yield found
        finally:
            found.end()
            knocking.end()
        assert (found.problems, knocking.refused) == ([], [])
        assert found.received == found.sent and knocking.opened > 10
