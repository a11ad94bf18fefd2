"""A page with an upload, and how much was uploaded."""

import sys

from fastapi.responses import PlainTextResponse
from nicegui import app, ui

sizes = []


async def note(event):
    """Note the size of what was uploaded."""
    sizes.append(len(await event.file.read()))


@app.get("/size")
def size():
    """Return it."""
    return PlainTextResponse(str(sum(sizes)))


@ui.page("/")
def index():
    """Show the page."""
    ui.label("hello")
    ui.upload(on_upload=note)


ui.run(host="127.0.0.1", port=int(sys.argv[1]), show=False, reload=False)
