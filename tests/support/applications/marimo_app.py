"""A notebook with one cell."""

import marimo

app = marimo.App()


@app.cell
def show():
    """Show a line."""
    import marimo as page

    page.md("forty-" + "two")
    return


if __name__ == "__main__":
    app.run()
