"""An MQTT client over a WebSocket: it subscribes, publishes, and prints the messages that it receives.

Usage: mqtt_client.py NAME PORT PATH
"""

import json
import ssl
import sys
import threading

import named  # noqa: F401  # pylint: disable=unused-import
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

name, port, path = sys.argv[1:]
came = threading.Event()
found = []


def on_connect(client, _data, _flags, _reason, _properties):
    """Subscribe; the broker then sends the client its own message."""
    client.subscribe("rooms/+", qos=1)


def on_subscribe(client, _data, _number, _reasons, _properties):
    """Publish a message that is larger than one frame in a small buffer."""
    client.publish("rooms/7", "x" * 100000, qos=1)


def on_message(_client, _data, message):
    """Record the topic and the size of a message."""
    found.append([message.topic, len(message.payload)])
    came.set()


client = Client(CallbackAPIVersion.VERSION2, transport="websockets")
client.ws_set_options(path=path)
client.tls_set(cert_reqs=ssl.CERT_NONE)
client.tls_insecure_set(True)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect(name, int(port), keepalive=30)
client.loop_start()
came.wait(30)
client.disconnect()
client.loop_stop()
print(json.dumps(found))
