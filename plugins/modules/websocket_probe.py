#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_probe
short_description: Open a WebSocket and check that it answers
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Opens one WebSocket as a client does (RFC 6455), checks that the other end answers, and closes it. It changes
    nothing.
  - If it fails, the message contains the answer, who sent it, and the likely cause.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: posix
options:
  url:
    description: The URL, such as V(wss://chat.example.com/socket?room=1). The certificate has to contain its host name.
    type: str
    required: true
  connect_to:
    description:
      - Where to connect instead of the URL's own name and port, as V(10.0.0.1:443), V([::1]:80) or V(unix:/path).
    type: str
  host:
    description: The header C(Host), if it is not the name and port of O(url).
    type: str
  origin:
    description: The header C(Origin), as a browser sends it for a page of that site.
    type: str
  headers:
    description: Further headers, by name.
    type: dict
    default: {}
  subprotocols:
    description: The subprotocols to offer, the preferred one first.
    type: list
    elements: str
    default: []
  status:
    description: The expected status. With any other than V(101), no WebSocket must open.
    type: int
    default: 101
  expect:
    description:
      - What is expected of the WebSocket. V(handshake) is nothing more.
      - V(pong) is the answer to a ping, which WebSocket servers send by themselves.
      - V(echo) is the same text that was sent.
      - V(text) is a message that contains O(text), after O(send), if there is one, was sent.
    type: str
    choices: [handshake, pong, echo, text]
    default: pong
  send:
    description: The text message to send. With O(expect=echo), a random one by default.
    type: str
  text:
    description: What a message has to contain, with O(expect=text).
    type: str
    default: ""
  timeout:
    description: How many seconds everything may take.
    type: float
    default: 10
  validate_certs:
    description: Whether the certificate of a C(wss) URL has to be valid.
    type: bool
    default: true
  ca_path:
    description: A file with the trusted CAs, on the host that opens the WebSocket; by default those of the system.
    type: path
"""

EXAMPLES = r"""
- name: Check that the chat answers
  wsedge.nginx.websocket_probe:
    url: wss://chat.example.com/socket
    origin: https://chat.example.com

- name: Check that this edge refuses pages of other sites
  wsedge.nginx.websocket_probe:
    url: wss://chat.example.com/socket
    connect_to: 127.0.0.1:443
    origin: https://elsewhere.example
    status: 403
"""

RETURN = r"""
status:
  description: The status of the answer.
  type: int
  returned: success
address:
  description: The address of the connection.
  type: str
  returned: success
headers:
  description: The headers of the answer, names in lower case.
  type: dict
  returned: success
seconds:
  description: How long the handshake took, without the connection.
  type: float
  returned: success
subprotocol:
  description: The subprotocol that the server chose, empty for none.
  type: str
  returned: success
certificate_expires:
  description: When the certificate expires; empty without TLS or with O(validate_certs=false).
  type: str
  returned: success
  sample: "2030-01-31T12:00:00Z"
tls_version:
  description: The version of TLS; empty without TLS.
  type: str
  returned: success
  sample: TLSv1.3
message:
  description: The text that was received, with O(expect=echo) and O(expect=text).
  type: str
  returned: success
"""

from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.probing import ProbeFailure, Target, probe


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "connect_to": {"type": "str"},
            "host": {"type": "str"},
            "origin": {"type": "str"},
            "headers": {"type": "dict", "default": {}},
            "subprotocols": {"type": "list", "elements": "str", "default": []},
            "status": {"type": "int", "default": 101},
            "expect": {"type": "str", "choices": ["handshake", "pong", "echo", "text"], "default": "pong"},
            "send": {"type": "str"},
            "text": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 10},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        parts = urlsplit(module.params["url"])
        if parts.scheme not in ("ws", "wss") or not parts.hostname or (parts.port or 1) < 1:
            raise ValueError("expected ws://name/path or wss://name/path")
    except ValueError as reason:
        module.fail_json(msg=f"url: {module.params['url']}: {reason}")
    try:
        module.exit_json(changed=False, **vars(probe(Target(**module.params))))
    except ProbeFailure as failure:
        module.fail_json(msg=str(failure))


if __name__ == "__main__":
    main()
