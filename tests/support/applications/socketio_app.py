"""A Socket.IO server that echoes, and tells which process it is."""

import os

import socketio

server = socketio.AsyncServer(async_mode="asgi")
application = socketio.ASGIApp(server)


@server.event
async def message(_client, data):
    """Answer with what came and who answers."""
    return [data, os.getpid()]
