"""A Socket.IO server that echoes, and reports its process ID."""

import os

import socketio

server = socketio.AsyncServer(async_mode="asgi")
application = socketio.ASGIApp(server)


@server.event
async def message(_client, data):
    """Answer with the message and the process ID."""
    return [data, os.getpid()]
