"""A page that greets."""

import gradio

gradio.Interface(lambda name: f"hello {name}", "text", "text", api_name="predict").launch(server_name="127.0.0.1")
