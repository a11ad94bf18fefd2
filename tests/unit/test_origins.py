"""The origins that an inventory may allow, and the errors about others."""

from __future__ import annotations

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.origin_values import Origins, allowed_origins


@pytest.mark.parametrize(("given", "meant"), [
    ("any", Origins(any=True)), ("same_host", Origins(same_host=True)),
    (["same_host", "https://A.example:443", "http://a.example:8080"],
     Origins(same_host=True, origins=("https://a.example", "http://a.example:8080"))),
    ({"origins": ["null"], "required": True}, Origins(origins=("null",), required=True)),
    (["https://*.b.example", "capacitor://localhost", "https://[2001:DB8::1]:8443"],
     Origins(origins=("https://*.b.example", "capacitor://localhost", "https://[2001:db8::1]:8443"))),
])
def test_what_is_meant_is_taken(given: object, meant: Origins) -> None:
    assert allowed_origins(given) == meant


@pytest.mark.parametrize(("given", "told"), [
    ("same-host", "is neither any nor same_host, nor a list of origins"),
    ([], "the list is empty, so no page could connect; use any to allow every origin"),
    (["*"], "allowed_origins: any allows every origin"),
    (["a.example"], 'did you mean "https://a.example"?'),
    (["https://a.example/"], 'did you mean "https://a.example"?'),
    (["https://a.example/app"], "is not an origin; expected one such as https://app.example.com"),
    (["wss://a.example"], 'browsers send the origin of the page; did you mean "https://a.example"?'),
    (["https://a.*.example"], "is not a server name"), (["https://*"], "is not a server name"),
    (["https://müller.example"], 'its ASCII form is "xn--mller-kva.example"'),
    (["https://a@b.example"], "is not an origin"), (["https://a.example:0"], "0 is not a whole number from 1 to 65535"),
    ([None], '"null" is the origin of pages without one'),
    (["https://a.example", "https://A.example"], "is listed twice"),
    ({"origin": "any"}, '"origin" is not a key here; did you mean "origins"?'),
    ({"required": True}, '"origins" is missing'),
    ({"origins": "any", "required": True}, "has no use with any"),
    ({"origins": "same_host", "required": "perhaps"}, "perhaps"),
])
def test_what_is_no_origin_is_told_with_what_it_may_have_been(given: object, told: str) -> None:
    with pytest.raises(Refused) as refused:
        allowed_origins(given)
    assert told in str(refused.value)
