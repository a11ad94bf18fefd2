#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_certificates
short_description: Check the certificates of nginx, and install those that are not on the host
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Checks that each certificate is valid now, contains the required names, and is verified by the chain in its file.
    Its key has to belong to it and must have no password. If any check fails, nothing is installed.
  - Certificates from the controller, and self-signed ones, are installed at the given paths. Another content is
    expected to have another path, so a file that nginx may have read never changes.
  - Files in O(folder) that are no longer listed are removed when no generation in O(generations) uses them.
notes:
  - A key is never shown or logged. On the host only root can read it.
requirements:
  - openssl on the host, for self-signed certificates
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: Debian, Ubuntu
options:
  certificates:
    description: The certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      inventory_path:
        description: The inventory path of the certificate, for messages.
        type: str
        required: true
      site:
        description: The site that uses it.
        type: str
        default: ""
      source:
        description:
          - V(certificate) is an existing file on the host, V(certificate_content) is in O(contents), and V(self_signed)
            is made by this module.
          - V(acme) is a certificate of certbot; RV(issue) reports it if it is missing or unusable. Until certbot has
            one, a self-signed certificate is used.
        type: str
        choices: [certificate, certificate_content, self_signed, acme]
        required: true
      certificate:
        description: Absolute path of the certificate.
        type: str
        required: true
      certificate_key:
        description: Absolute path of its key.
        type: str
        required: true
      names:
        description: The names and IP addresses that it has to contain.
        type: list
        elements: str
        default: []
      key_type:
        description: The key type of a certificate that this module makes.
        type: str
        choices: [ecdsa, rsa]
        default: ecdsa
      lineage:
        description: certbot's name for it.
        type: str
      email:
        description: An address for messages from the CA, for certbot.
        type: str
      directory_url:
        description: The ACME directory of the CA, for certbot.
        type: str
  contents:
    description:
      - The texts of certificates and keys, by path. They are a separate option because Ansible cannot hide values at a
        deeper level.
    type: dict
    default: {}
  folder:
    description: The folder for the installed files. Only this module writes there.
    type: str
    required: true
  generations:
    description: As O(wsedge.nginx.nginx_config#module:folder).
    type: str
    required: true
  lineages:
    description: The folder of certbot's current certificates, each in a folder with its name.
    type: str
    default: /etc/letsencrypt/live
  warn_days:
    description:
      - Warn this many days before a certificate expires. For one with a lifetime of less than three times that, warn in
        the last third of its lifetime.
    type: int
    default: 21
"""

EXAMPLES = r"""
- name: Check the certificate of a site
  wsedge.nginx.nginx_certificates:
    folder: /etc/nginx/edge_certificates
    generations: /etc/nginx/edge
    certificates:
      - inventory_path: my_certificate
        source: certificate
        certificate: /etc/ssl/certs/example.com.pem
        certificate_key: /etc/ssl/private/example.com.key
        names: [example.com, "*.example.com"]
"""

RETURN = r"""
issue:
  description: The certificates of certbot that are missing or unusable, as given, with a reason.
  type: list
  elements: dict
  returned: success
forgotten:
  description:
    - The certificates in O(lineages) whose names begin with C(websocket_proxy_), and that are neither in
      O(certificates) nor in a generation.
  type: list
  elements: str
  returned: success
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.certificates import Certificates
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import runner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "certificates": {"type": "list", "elements": "dict", "required": True, "options": {
                "inventory_path": {"type": "str", "required": True},
                "site": {"type": "str", "default": ""},
                "source": {"type": "str", "required": True,
                           "choices": ["certificate", "certificate_content", "self_signed", "acme"]},
                "certificate": {"type": "str", "required": True},
                "certificate_key": {"type": "str", "required": True, "no_log": False},
                "names": {"type": "list", "elements": "str", "default": []},
                "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa", "no_log": False},
                "lineage": {"type": "str"},
                "email": {"type": "str"},
                "directory_url": {"type": "str"},
            }},
            "contents": {"type": "dict", "default": {}, "no_log": True},
            "folder": {"type": "str", "required": True},
            "generations": {"type": "str", "required": True},
            "lineages": {"type": "str", "default": "/etc/letsencrypt/live"},
            "warn_days": {"type": "int", "default": 21},
        },
        supports_check_mode=True,
    )
    os.umask(0o077)
    certificates = Certificates(module.params, module.check_mode, runner(module))
    try:
        certificates.run()
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in certificates.warnings:
        module.warn(warning)
    module.exit_json(changed=certificates.changed, issue=certificates.issue,
                     forgotten=certificates.forgotten)


if __name__ == "__main__":
    main()
