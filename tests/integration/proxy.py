"""A TCP proxy that breaks connections as a test tells it to.

    with Proxy("127.0.0.1", server.port) as proxy:      # listens on proxy.port of 127.0.0.1
        proxy.stall(after=2000)                         # from the 2 000th byte on nothing comes any more
        ...
        proxy.heal()                                    # what was held back goes on its way

One fault is in force at a time, for the connections that are open and those to come:

    delay(seconds)        every piece of bytes comes that much later
    stall(after=0)        after so many bytes nothing comes, and the connection stays open
    cut(after=0)          after so many bytes the connection ends in order
    reset(after=0)        after so many bytes the connection is reset
    corrupt(after=0)      the byte after so many has all of its bits turned round
    refuse()              connections are accepted and reset at once
    heal()                none of these

`after` counts the bytes of one connection in the direction concerned: towards the client, or with towards="server" the
other way. `happened` counts what was done ("stall", "cut", …, and "connect"); wait_for("stall") waits until it was.
drop() resets every connection that is open; redirect(port) is for a server that has come back on another one. Every
call returns once it is in force.
"""
import asyncio
import collections
import contextlib
import socket
import struct
import threading
import time

PATIENCE = 30.0
PIECE = 65536


class Fault(collections.namedtuple("Fault", "kind amount towards")):
    """What is done to the bytes in one direction; `amount` is seconds of a delay, else bytes."""


NOTHING = Fault(None, 0, "client")


class Link:
    """One connection through the proxy: two pairs of streams."""

    def __init__(self, client, server):
        self.writers = {"client": client, "server": server}
        self.passed = {"client": 0, "server": 0}

    def close(self):
        for writer in self.writers.values():
            with contextlib.suppress(OSError):
                writer.close()

    def reset(self):
        for writer in self.writers.values():
            with contextlib.suppress(OSError, AttributeError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    def __init__(self, host, port):
        self.target = (host, port)
        self.port = 0
        self.happened = collections.Counter()
        self._fault = NOTHING
        self._links = set()
        self._changed = None  # an asyncio.Event, replaced with each fault
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready, self._failure = threading.Event(), None

    # --- what tests call -----------------------------------------------------------------------------------------

    def __enter__(self):
        self._thread.start()
        self._ready.wait(PATIENCE)
        if self._failure or not self.port:
            raise RuntimeError(f"the proxy did not start: {self._failure}")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def delay(self, seconds, towards="client"):
        self._set(Fault("delay", seconds, towards))

    def stall(self, after=0, towards="client"):
        self._set(Fault("stall", after, towards))

    def cut(self, after=0, towards="client"):
        self._set(Fault("cut", after, towards))

    def reset(self, after=0, towards="client"):
        self._set(Fault("reset", after, towards))

    def corrupt(self, after=0, towards="client"):
        self._set(Fault("corrupt", after, towards))

    def refuse(self):
        self._set(Fault("refuse", 0, "client"))

    def heal(self):
        self._set(NOTHING)

    def drop(self):
        self._call(self._drop)

    def redirect(self, port):
        self.target = (self.target[0], port)  # of the connections to come

    def wait_for(self, kind, times=1, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while self.happened[kind] < times:
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain for {kind!r}: {dict(self.happened)}")
            time.sleep(0.005)

    # --- its thread ----------------------------------------------------------------------------------------------

    def _call(self, function, *arguments):
        done = threading.Event()

        def call():
            function(*arguments)
            done.set()

        self._loop.call_soon_threadsafe(call)
        if not done.wait(PATIENCE):
            raise RuntimeError("the proxy does not answer")

    def _set(self, fault):
        def change():
            self._fault = fault
            self._changed.set()
            self._changed = asyncio.Event()

        self._call(change)

    def _drop(self):
        for link in list(self._links):
            link.reset()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._listen())
        except OSError as failure:
            self._failure = failure
        self._ready.set()
        if not self._failure:
            self._loop.run_forever()
        self._drop()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _listen(self):
        self._changed = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        self.happened["connect"] += 1
        if self._fault.kind == "refuse":
            self.happened["refuse"] += 1
            Link(writer, writer).reset()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            Link(writer, writer).reset()
            return
        link = Link(writer, far_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pump(link, far_reader, "client"), self._pump(link, reader, "server"))
        finally:
            self._links.discard(link)
            link.close()

    async def _pump(self, link, reader, side):
        writer = link.writers[side]
        try:
            while True:
                piece = await reader.read(PIECE)
                if not piece:
                    break
                if not await self._forward(link, side, writer, piece):
                    return
            if writer.can_write_eof():
                writer.write_eof()
        except (OSError, asyncio.IncompleteReadError):
            link.reset()

    async def _forward(self, link, side, writer, piece):
        """Sends a piece on, as the fault has it; False when the connection is over."""
        while piece:
            fault = self._fault
            if fault.kind in (None, "refuse") or fault.towards != side:
                break
            if fault.kind == "delay":
                self.happened["delay"] += 1
                await asyncio.sleep(fault.amount)
                break
            room = max(0, fault.amount - link.passed[side])
            if room >= len(piece):
                break
            await self._send(link, side, writer, piece[:room])
            piece = piece[room:]
            if fault.kind == "stall":
                changed = self._changed
                self.happened["stall"] += 1
                await changed.wait()
            elif fault.kind == "corrupt":
                if link.passed[side] == fault.amount:
                    self.happened["corrupt"] += 1
                    piece = bytes([piece[0] ^ 0xFF]) + piece[1:]
                break
            else:
                self.happened[fault.kind] += 1
                if fault.kind == "cut":
                    link.close()
                else:
                    link.reset()
                return False
        await self._send(link, side, writer, piece)
        return True

    async def _send(self, link, side, writer, piece):
        link.passed[side] += len(piece)
        writer.write(piece)
        await writer.drain()
