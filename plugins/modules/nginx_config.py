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
  - Writes a set of configuration files as a new folder, a I(generation), tests it with C(nginx -t) exactly as it will
    run, and puts it in force with one rename(2) of the main file. A crash at any instant leaves the old
    configuration or the new one, each whole.
  - Only root can read the generations; the main file is open to everybody.
  - When nothing differs, nothing is written; the configuration on disk is tested all the same, so that a broken file
    of somebody else's is found by every run.
  - Files are compared by their content, not by the name of their generation. What was edited by hand is put right by
    a new generation.
  - It does not reload nginx; notify a handler for that, such as one with M(wsedge.nginx.nginx_reload).
notes:
  - The number of round trips to the host does not depend on the number of files. It is one when nothing differs, two
    otherwise.
  - The test runs as root and opens the log files, as C(nginx -t) does. The empty pid file that C(nginx -t) leaves
    behind where nginx does not run is removed, and so are unix sockets of a C(listen) that nobody listens on. After a
    check, or a test that fails, logs and caches that were not there before are removed as well.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - wsedge.nginx.configuration
  - wsedge.nginx.configuration.place
attributes:
  check_mode:
    support: full
    details: Everything is done but the commit. On a host without nginx the test is left out as well.
  diff_mode:
    support: full
    details: Only files that differ are shown.
  platform:
    platforms: Debian, Ubuntu
options:
  state:
    description:
      - V(present) puts the files given in force.
      - V(rolled_back) puts an earlier generation in force again, as a new one.
      - V(absent) takes everything back that was ever committed to O(folder). The main file and the links that went with
        the first commit are as they were, or as the package has them by now.
    type: str
    choices: [present, rolled_back, absent]
    default: present
  template:
    description:
      - A Jinja template of the main file, in the role's or playbook's folder C(templates).
      - It sees only O(vars), C(generation), the name of the generation, and C(generation_files), the pattern for an
        C(include) of its files. Each C({{ value }}) is written as one quoted word of nginx's configuration.
      - Give this or O(content).
    type: str
  content:
    description: The main file's text. C(@generation@) in it stands for the name of the generation.
    type: str
  vars:
    description: What O(template) sees.
    type: dict
    default: {}
  sha256:
    description: Checksum of the main file's text, made by the controller. It is not for playbooks.
    type: str
  files:
    description: The files of the generation, which the main file includes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name in the generation's folder.
        type: str
        required: true
      template:
        description: As O(template), with O(files[].vars). Give this or O(files[].content).
        type: str
      content:
        description: As O(content).
        type: str
      vars:
        description: What O(files[].template) sees.
        type: dict
        default: {}
      sha256:
        description: Checksum of the text, made by the controller. It is not for playbooks.
        type: str
  generation:
    description:
      - The generation that O(state=rolled_back) goes back to; by default the last one before that in force whose texts
        are others, and that was more than a step to another.
    type: str
  references:
    description:
      - Local files that the configuration refers to, such as certificates. nginx reads them when it loads its
        configuration, so one whose content has changed makes a new generation.
    type: list
    elements: str
    default: []
  readable:
    description:
      - Local files that nginx's workers read at each request, such as password files. nginx's test does not look at
        them; here they have to be there, and to be readable to the workers' group.
    type: list
    elements: str
    default: []
  interim:
    description:
      - Whether these files are only a step to others that are to follow, such as those with which a CA is answered
        before it has issued a certificate. O(state=rolled_back) does not go back to a step unless it is named, and it
        is removed when it neither is in force nor runs any more.
    type: bool
    default: false
  secrets:
    description:
      - Texts that neither differences nor errors show, such as what came out of a vault. They stay on the controller.
      - Values of headers that are secrets by their names, such as C(Authorization) or C(X-Token), are not shown either.
    type: list
    elements: str
    default: []
  masked:
    description: Lines with O(secrets), by file, made by the controller. It is not for playbooks.
    type: dict
    default: {}
  socket:
    description:
      - A unix socket on which the configuration itself answers C(GET /generation) with the generation's name. When it
        does not answer with the generation on disk, or two masters of nginx serve, the result is changed, so that a
        handler can put that right.
    type: str
  test:
    description:
      - Whether a check tests the configuration with O(validate). V(false) is for a check of a configuration that refers
        to files that only the run itself would place; a run tests in any case.
    type: bool
    default: true
  keep:
    description:
      - How many generations are kept. The one in force and the one that runs are kept in any case. Of several in
        succession with the same texts, the last is kept.
    type: int
    default: 5
  replace:
    description: Take an edited main file over as well. It is kept aside, and O(state=absent) puts it back.
    type: bool
    default: false
  unlink:
    description:
      - Symbolic links that go with the commit, as long as they lead to a conffile just as its package brought it, such
        as C(/etc/nginx/sites-enabled/default). Any other link or file stays.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Two files are the configuration of nginx
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

- name: The configuration before the last one is in force again
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    state: rolled_back
  notify: Reload nginx

- name: Nothing of it is left
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    state: absent
  notify: Reload nginx
"""

RETURN = r"""
reload:
  description: Whether nginx has something to load. V(false) with a change where only modes of files were put right.
  type: bool
  returned: success
modes:
  description: Whether modes were put right, in place. Earlier versions wrote files that everybody could read.
  type: bool
  returned: success
generation:
  description: The generation on disk; in check mode the one that would be. Empty when there is none.
  type: str
  returned: success
  sample: 000004-5a1c0b9d2e7f
previous_generation:
  description: The generation that was in force before, empty when there was none.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
interim:
  description: Whether the generation on disk is only a step.
  type: bool
  returned: success
earlier_generation:
  description: What there is to go back to from a step, empty when that is nothing, and where there is no step.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
different:
  description: The names of the files that differ from those on disk; the main file by its path.
  type: list
  elements: str
  returned: success
running_generation:
  description: The generation that nginx answers with on O(socket), empty when it does not answer with one.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
strays:
  description: Paths in O(folder) that are nothing of this module's. They are left alone, with a warning.
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
        module.warn(f"{stray} was not made by this module, and is left alone")
    # The controller knows what of nginx's warnings is secret.
    module.exit_json(**result, told=transaction.config_test.warnings)


if __name__ == "__main__":
    main()
