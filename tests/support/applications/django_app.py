"""A Django project in one file: a page with a form, a WebSocket of Channels that checks the Origin, and a login."""

import django
from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.urls import path, re_path

settings.configure(
    ALLOWED_HOSTS=["app.example.com"], ROOT_URLCONF=__name__, SECRET_KEY="of the tests", DEBUG=False,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies", SESSION_COOKIE_SECURE=True,
    # nginx sends the scheme of the client's request.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
django.setup()


def form(request):
    """Return a CSRF token, or accept a form that has one."""
    return HttpResponse("taken" if request.method == "POST" else get_token(request))


def login(request):
    """Store the name that the user gives in the session."""
    request.session["user"] = request.GET["user"]
    return HttpResponse("welcome")


def who(request):
    """Return the user's name to an edge, or 401 without a login."""
    user = request.session.get("user")
    return HttpResponse(status=200, headers={"Remote-User": user}) if user else HttpResponse(status=401)


def told(request):
    """Return the user's name that the edge passes on."""
    return HttpResponse(request.headers.get("Remote-User", "nobody"))


class Echo(WebsocketConsumer):
    """A consumer that sends back each message."""

    def receive(self, text_data=None, bytes_data=None):
        """Send the message back."""
        self.send(text_data=text_data)


urlpatterns = [path("form", form), path("login", login), path("who", who), path("told", told)]
application = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": AllowedHostsOriginValidator(URLRouter([re_path("^ws$", Echo.as_asgi())]))})
