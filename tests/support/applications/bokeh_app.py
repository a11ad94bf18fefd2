"""A page with one slider."""

from bokeh.io import curdoc
from bokeh.models import Slider

curdoc().add_root(Slider(start=0, end=1, value=0))
