#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_certificates
short_description: Check the certificates that nginx is to show, and place those that are not on the host yet
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Checks for each certificate that its key belongs to it and has no password, that it has the names that it is to
    have, that what follows it in its file vouches for it, and that it is in time. Nothing is placed while anything is
    wrong.
  - Certificates from the controller, and self-signed ones, are placed under the paths given. A path is expected to be
    another one whenever its content is another one, so a file that nginx may have read is never changed.
  - Files in O(folder) that are not wanted any more are removed, as soon as no generation in O(generations) names them.
notes:
  - A key is never shown or logged. On the host only root can read it.
requirements:
  - openssl on the host, for certificates that are self-signed
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
        description: Where the inventory says this, for messages.
        type: str
        required: true
      site:
        description: The site that shows it.
        type: str
        default: ""
      source:
        description:
          - V(certificate) is a file of somebody else's on the host, V(certificate_content) comes with O(contents), and
            V(self_signed) is made here.
          - V(acme) is one of certbot's, which is reported in RV(issue) where it is not fit; or a self-signed one in its
            place as long as certbot has none.
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
        description: The names and IP addresses that it is to have.
        type: list
        elements: str
        default: []
      key_type:
        description: The kind of key of a certificate that is made here.
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
      - The texts of what comes with this call, by its path. They stand apart from the rest because Ansible keeps
        nothing secret that stands further in than this.
    type: dict
    default: {}
  folder:
    description: The folder for what is placed here. It belongs to this module alone.
    type: str
    required: true
  generations:
    description: As O(wsedge.nginx.nginx_config#module:folder).
    type: str
    required: true
  lineages:
    description: The folder in which certbot keeps the certificates in force, each in a folder of its name.
    type: str
    default: /etc/letsencrypt/live
  warn_days:
    description:
      - From how many days before its end on a certificate is warned of; one that lives less than three times as long,
        from the last third of its life on.
    type: int
    default: 21
"""

EXAMPLES = r"""
- name: The certificate of a site is on the host and fit
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
  description: The certificates of certbot's that are missing, or not fit any more, as they were given, with a reason.
  type: list
  elements: dict
  returned: success
forgotten:
  description:
    - The certificates in O(lineages) whose names begin with C(websocket_proxy_), and that neither O(certificates) nor a
      generation has.
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
