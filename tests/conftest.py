"""Have every run try the same examples, so that one that fails can be seen again.

``pytest --hypothesis-profile=default`` thinks of others.
"""

from hypothesis import settings

settings.load_profile("ci")
