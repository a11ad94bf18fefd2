"""A page with an upload, and another with the total size of the uploads."""

import sys

from fastapi.responses import PlainTextResponse
from nicegui import app, ui

sizes = []


async def note(event):
    """Record the size of an upload."""
    sizes.append(len(await event.file.read()))


@app.get("/size")
def size():
    """Return the total size of the uploads."""
    return PlainTextResponse(str(sum(sizes)))


@ui.page("/")
def index():
    """Show the page."""
    ui.label("hello")
    ui.upload(on_upload=note)


ui.run(host="127.0.0.1", port=int(sys.argv[1]), show=False, reload=False)
