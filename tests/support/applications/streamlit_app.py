"""A page with one line."""

import streamlit

streamlit.write("hello")
