#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_config
short_description: Change a whole nginx configuration in one tested step
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Writes a set of configuration files to a new folder, a
    I(generation), and tests it with C(nginx -t) exactly as it will
    run. One rename(2) of the main file commits it. A crash leaves either the complete old configuration or the
    complete new one.
  - Only root can read the generations; everyone can read the main file.
  - If nothing differs, nothing is written, but the configuration on disk is tested. So every run detects a broken file
    that someone else changed.
  - Files are compared by content. A file that was edited by hand is replaced by a new generation.
  - It does not reload nginx; notify a handler for that, such as one with M(wsedge.nginx.nginx_reload).
notes:
  - There is one round trip to the host if nothing differs, and two otherwise, whatever the number of files.
  - The test runs as root and opens the log files, as C(nginx -t) does. The module removes the empty pid
    file that C(nginx -t) leaves when nginx does not run. It also removes unix sockets of a C(listen)
    without a listening process. After check
    mode, or a failed test, it also removes new logs and caches.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - wsedge.nginx.configuration
  - wsedge.nginx.configuration.files
attributes:
  check_mode:
    support: full
    details: Everything except the commit. On a host without nginx, also without the test.
  diff_mode:
    support: full
    details: Only files that differ are shown.
  platform:
    platforms: Debian, Ubuntu
options:
  state:
    description:
      - V(present) commits the given files.
      - V(rolled_back) commits an earlier generation again, as a new one.
      - V(absent) removes everything that was committed to O(folder). It restores the main file and the links that the
        first commit removed, or installs the package's current ones.
    type: str
    choices: [present, rolled_back, absent]
    default: present
  template:
    description:
      - A Jinja template of the main file, in the folder C(templates) of the role or playbook.
      - Its variables are O(vars), C(generation) (the name of the generation), and C(generation_files) (the pattern for
        an C(include) of its files). Each C({{ value }}) becomes one quoted word of nginx's configuration.
      - Set this or O(content).
    type: str
  content:
    description: The text of the main file. C(@generation@) is replaced with the name of the generation.
    type: str
  vars:
    description: Variables for O(template).
    type: dict
    default: {}
  sha256:
    description: Checksum of the main file's text, made by the controller. Not for playbooks.
    type: str
  files:
    description: The files of the generation, which the main file includes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the file in the folder of the generation.
        type: str
        required: true
      template:
        description: As O(template), with O(files[].vars). Set this or O(files[].content).
        type: str
      content:
        description: As O(content).
        type: str
      vars:
        description: Variables for O(files[].template).
        type: dict
        default: {}
      sha256:
        description: Checksum of the text, made by the controller. Not for playbooks.
        type: str
  generation:
    description:
      - The generation for O(state=rolled_back). By default the latest earlier one with another configuration that is
        not interim.
    type: str
  references:
    description:
      - Local files that the configuration uses, such as certificates. nginx reads them when it loads its configuration,
        so a changed one makes a new generation.
    type: list
    elements: str
    default: []
  readable:
    description:
      - Local files that nginx's workers read at each request, such as password files. nginx's test does not check them;
        this module checks that they exist and that the workers can read them.
    type: list
    elements: str
    default: []
  interim:
    description:
      - Whether these files are only temporary, such as those that answer a CA before it has issued a certificate.
        O(state=rolled_back) skips such a generation unless it is named. It is removed when it is neither on disk nor
        running.
    type: bool
    default: false
  secrets:
    description:
      - Texts that differences and errors do not show, such as vaulted values. They stay on the controller.
      - Values of headers with secret names, such as C(Authorization) or C(X-Token), are not shown either.
    type: list
    elements: str
    default: []
  masked:
    description: Lines with O(secrets), by file, made by the controller. Not for playbooks.
    type: dict
    default: {}
  socket:
    description:
      - A unix socket on which the configuration answers C(GET /generation) with the name of the generation. If the
        answer is not the generation on disk, or two masters of nginx serve, the result is changed, so that a handler
        can reload nginx.
    type: str
  test:
    description:
      - Whether check mode tests the configuration with O(validate). V(false) is for a configuration with files that
        only the run itself would install. Outside check mode, the test always runs.
    type: bool
    default: true
  keep:
    description:
      - How many generations are kept. The one on disk and the running one are always kept. Of several equal ones in a
        row, the last is kept.
    type: int
    default: 5
  replace:
    description: Also replace an edited main file. A copy is kept, and O(state=absent) restores it.
    type: bool
    default: false
  unlink:
    description:
      - Symbolic links that the commit removes, if they point to an unedited conffile, such as
        C(/etc/nginx/sites-enabled/default). Other links and files stay.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Configure nginx with two files
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    divert: true
    content: |
      user www-data;
      events {}
      http {
          include /etc/nginx/edge/@generation@/*.conf;
      }
    files:
      - name: health.conf
        content: |
          server {
              listen 127.0.0.1:8081;
              return 204;
          }
      - name: site.conf
        template: site.conf.j2
        vars:
          server_names: [example.com]
  notify: Reload nginx

- name: Go back to the previous configuration
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    state: rolled_back
  notify: Reload nginx

- name: Remove the configuration
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    state: absent
  notify: Reload nginx
"""

RETURN = r"""
reload:
  description: Whether nginx has to be reloaded. V(false) if only modes of files were corrected.
  type: bool
  returned: success
modes:
  description: Whether modes of files were corrected.
  type: bool
  returned: success
generation:
  description: The generation on disk; in check mode, the one that the run would write. Empty if there is none.
  type: str
  returned: success
  sample: 000004-5a1c0b9d2e7f
previous_generation:
  description: The previous generation on disk, empty if there was none.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
interim:
  description: Whether the generation on disk is interim.
  type: bool
  returned: success
earlier_generation:
  description: The generation to go back to from an interim one; empty if there is none.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
different:
  description: The names of the files that differ from those on disk; the main file by its path.
  type: list
  elements: str
  returned: success
running_generation:
  description: The generation that nginx reports on O(socket), empty if it reports none.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
strays:
  description: Paths in O(folder) that this module did not make. They are kept, with a warning.
  type: list
  elements: str
  returned: success
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure
from ansible_collections.wsedge.nginx.plugins.module_utils.options import CONFIGURATION
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import runner
from ansible_collections.wsedge.nginx.plugins.module_utils.transaction import Transaction

TEXT = {"template": {"type": "str"}, "content": {"type": "str"}, "vars": {"type": "dict", "default": {}},
        "sha256": {"type": "str"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **CONFIGURATION,
            "state": {"type": "str", "choices": ["present", "rolled_back", "absent"], "default": "present"},
            **TEXT,
            "files": {"type": "list", "elements": "dict", "default": [],
                      "options": {"name": {"type": "str", "required": True}, **TEXT}},
            "generation": {"type": "str"},
            "interim": {"type": "bool", "default": False},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "masked": {"type": "dict", "default": {}},
            "references": {"type": "list", "elements": "str", "default": []},
            "readable": {"type": "list", "elements": "str", "default": []},
            "socket": {"type": "str"},
            "test": {"type": "bool", "default": True},
            "keep": {"type": "int", "default": 5},
            "replace": {"type": "bool", "default": False},
            "unlink": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    # Whatever the caller's: it is what programs such as dpkg-divert go by.
    os.umask(0o022)
    transaction = Transaction(module.params, module.check_mode, runner(module))
    try:
        result = transaction.run()
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    for stray in result.get("strays", []):
        module.warn(f"{stray} was not made by this module, and is kept")
    # The controller knows what of nginx's warnings is secret.
    module.exit_json(**result, told=transaction.config_test.warnings)


if __name__ == "__main__":
    main()
