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
    # nginx tells by which scheme the client came.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
django.setup()


def form(request):
    """Give a token, or take one back."""
    return HttpResponse("taken" if request.method == "POST" else get_token(request))


def login(request):
    """Remember who somebody says they are."""
    request.session["user"] = request.GET["user"]
    return HttpResponse("welcome")


def who(request):
    """Tell an edge who somebody is."""
    user = request.session.get("user")
    return HttpResponse(status=200, headers={"Remote-User": user}) if user else HttpResponse(status=401)


def told(request):
    """Tell what the edge says of who somebody is."""
    return HttpResponse(request.headers.get("Remote-User", "nobody"))


class Echo(WebsocketConsumer):
    """Sends back what it gets."""

    def receive(self, text_data=None, bytes_data=None):
        """Send it back."""
        self.send(text_data=text_data)


urlpatterns = [path("form", form), path("login", login), path("who", who), path("told", told)]
application = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": AllowedHostsOriginValidator(URLRouter([re_path("^ws$", Echo.as_asgi())]))})
