"""For each key of the inventory, a value that is not its default, and the keys that it needs beside it."""

from __future__ import annotations

from typing import Any

CERTIFICATE = {"certificate": "/etc/ssl/a.pem", "certificate_key": "/etc/ssl/a.key"}
PEM = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nYQ==\n-----END PRIVATE KEY-----\n"
PUBLIC = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n{}\n-----END PGP PUBLIC KEY BLOCK-----\n"
ACME = {"email": "a@example.com", "agree_tos": True}
HASH = "$6$salt$" + "x" * 86
FASTCGI = {"server": "unix:/run/php/php-fpm.sock", "root": "/srv/app"}

# For each entry point, the mapping to which a test adds its keys; test_keys.py puts it in its place in an inventory.
LEVELS: dict[str, dict[str, Any]] = {
    "main": {},
    "apt_repository": {"url": "https://nginx.org/packages/debian", "suite": "trixie", "key": PUBLIC.format("YQ==")},
    "upstream": {"name": "u", "servers": ["10.0.0.1:3000"]},
    "upstream_tls": {"server_name": "b.example"},
    "server": {"address": "10.0.0.1:3000"},
    "hash": {"key": "$arg_room"},
    "sticky": {"cookie": "route"},
    "random": {},
    "site": {"server_names": ["a.example"], "upstream": "u"},
    "inherited": {"path": "/x", "upstream": "u"},
    "location": {"path": "/x", "upstream": "u"},
    "probe": {},
    "limits": {"max_connections": 5, "max_connections_total": 50, "handshakes_per_second": 5, "requests_per_second": 9},
    "auth": {"basic": {"users": {"alice": HASH}}},
    "auth_basic": {"users": {"alice": HASH}},
    "auth_request": {"upstream": "v", "path": "/auth"},
    "fastcgi": FASTCGI,
    "redirect": {"to": "/new"},
    "respond": {},
    "tls": CERTIFICATE,
    "acme": ACME,
    "hsts": {},
    "client_certificate": {"ca": "/etc/ssl/ca.pem"},
    "listen": {"port": 8080},
    "server_name": {"regex": "^a$"},
}

# A key that needs other keys has a pair: the keys without it, and the keys with it.
EXAMPLES: dict[str, dict[str, Any]] = {
    "main": {
        "websocket_proxy_state": "absent", "websocket_proxy_nginx_conf": "drop_in",
        "websocket_proxy_replace_nginx_conf": True, "websocket_proxy_package": "nginx-full",
        "websocket_proxy_apt_repository": LEVELS["apt_repository"], "websocket_proxy_worker_processes": 2,
        "websocket_proxy_worker_connections": 1024, "websocket_proxy_worker_rlimit_nofile": 65536,
        "websocket_proxy_worker_shutdown_timeout": "1h", "websocket_proxy_keep_generations": 7,
        "websocket_proxy_max_draining_generations": 3, "websocket_proxy_allow_restart": True,
        "websocket_proxy_large_client_header_buffers": "8 32k",
        "websocket_proxy_masked_arguments": ["access_token"],
        "websocket_proxy_verify": True, "websocket_proxy_seamless_upgrades": False,
        "websocket_proxy_other_upgrades": "reject", "websocket_proxy_certificate_warn_days": 7,
        "websocket_proxy_resolver": ({"websocket_proxy_upstreams": [
            {"name": "u", "servers": ["b.example:80"], "resolve": True}], "websocket_proxy_resolver": ["10.0.0.53"]},
            {"websocket_proxy_upstreams": [{"name": "u", "servers": ["b.example:80"], "resolve": True}],
             "websocket_proxy_resolver": ["10.0.0.54"]}),
        "websocket_proxy_site_defaults": {"read_timeout": "5m"}, "websocket_proxy_extra_config": "gzip_vary on;",
        "websocket_proxy_upstreams": [{"name": "u", "servers": ["10.0.0.9:1"]}],
        "websocket_proxy_sites": [{"server_names": ["b.example"], "upstream": "u"}],
    },
    "apt_repository": {"url": "https://b.example/", "suite": "forky", "components": ["main"],
                       "key": PUBLIC.format("YY==")},
    "upstream": {
        "name": "v", "servers": ["10.0.0.2:3000"], "group": ({"group": "one", "port": 1}, {"group": "two", "port": 1}),
        "port": ({"group": "one", "port": 1}, {"group": "one", "port": 2}),
        "allow_empty": ({}, {"servers": [], "allow_empty": True}), "load_balancing": "least_conn", "keepalive": 8,
        "keepalive_requests": ({"keepalive": 8}, {"keepalive": 8, "keepalive_requests": 5}),
        "keepalive_timeout": ({"keepalive": 8}, {"keepalive": 8, "keepalive_timeout": "5s"}),
        "keepalive_time": ({"keepalive": 8}, {"keepalive": 8, "keepalive_time": "5m"}),
        "resolve": ({"servers": ["b.example:1"]}, {"servers": ["b.example:1"], "resolve": True}),
        "proxy_bind": ["10.0.0.5"], "tls": {"server_name": "b.example"}},
    "upstream_tls": {
        "verify": False, "ca": "/etc/ssl/b.pem", "server_name": "c.example",
        "certificate": ({}, {"certificate": "/a.pem", "certificate_key": "/a.key"}),
        "certificate_key": ({"certificate": "/a.pem", "certificate_key": "/a.key"},
                            {"certificate": "/a.pem", "certificate_key": "/b.key"})},
    "server": {"address": "10.0.0.2:3000", "weight": 2, "max_conns": 5, "max_fails": 2, "fail_timeout": "5s",
               "backup": ({"more": True}, {"more": True, "backup": True}), "down": True},
    "hash": {"key": "$arg_other", "consistent": False},
    "sticky": {"cookie": "other", "expires": "1h", "domain": "example.com", "path": "/x", "httponly": False,
               "secure": True, "samesite": "strict"},
    "random": {"two": "least_conn"},
    "site": {
        "name": "other", "server_names": ["b.example"], "listen": [81],
        "tls": CERTIFICATE, "upstream": "v", "locations": [{"path": "/x", "upstream": "v"}], "other_upgrades": "reject",
        "dot_segments": ({"locations": [{"path": "/x", "upstream": "v"}]},
                         {"locations": [{"path": "/x", "upstream": "v"}], "dot_segments": "pass"}),
        "client_header_timeout": "9s", "trusted_proxies": ["10.0.0.0/8"], "extra_config": "gzip_vary on;"},
    "inherited": {
        "read_timeout": "5m", "live_read_timeout": "5m", "live_buffer_size": "2k",
        "live_access_log": "/var/log/nginx/a.log", "live_access_log_format": "websocket", "event_streams": False,
        "separate_live": False, "send_timeout": "5m", "connect_timeout": "9s", "next_upstream": ["error"],
        "next_upstream_tries": 2, "next_upstream_timeout": "9s", "host": "$host", "buffering": False,
        "accel_redirect": True,
        "buffer_size": "8k", "buffers": ({"buffer_size": "8k"}, {"buffer_size": "8k", "buffers": 16}),
        "proxy_redirect": "off", "client_max_body_size": "9m", "client_body_timeout": "9s",
        "client_send_timeout": "9s", "keepalive_timeout": "9s", "gzip": False, "access_log": "/var/log/nginx/a.log",
        "access_log_format": "websocket", "allow": ["10.0.0.0/8"], "deny": ["10.0.0.1"],
        "auth": {"basic": {"users": {"alice": HASH}}}, "limits": {"max_connections": 5},
        "allowed_origins": ["https://b.example"], "maintenance": True,
        "request_headers": {"X-A": "b"},
        "response_headers": {"X-A": "b"}},
    "location": {
        "path": "/y", "match": "exact", "upstream": "v", "websocket_only": True,
        "root": ({}, {"upstream": None, "root": "/srv"}),
        "fastcgi": ({}, {"upstream": None, "fastcgi": FASTCGI}),
        "redirect": ({}, {"upstream": None, "redirect": {"to": "/y"}}),
        "respond": ({}, {"upstream": None, "respond": {"body": "x"}}),
        "strip_prefix": ({"path": "/x/"}, {"path": "/x/", "strip_prefix": True}), "rewrite_to": "/y",
        "replace_prefix": ({"path": "/x/"}, {"path": "/x/", "replace_prefix": "/y/"}),
        "try_files": ({"upstream": None, "root": "/srv"},
                      {"upstream": None, "root": "/srv", "try_files": ["$uri", "=404"]}),
        "expires": "1h", "disable_symlinks": (
            {"upstream": None, "root": "/srv"}, {"upstream": None, "root": "/srv", "disable_symlinks": True}),
        "extra_config": "proxy_cache off;", "probe": False, "health_check": True},
    "probe": {"path": "/y", "origin": "https://a.example", "subprotocols": ["chat"], "expect": "echo",
              "send": "hello", "text": ({"expect": "text"}, {"expect": "text", "text": "ready"}), "timeout": 5},
    "fastcgi": {"server": "127.0.0.1:9001", "root": "/srv/other", "script": "app.php"},
    "limits": {"max_connections": 6, "max_connections_total": 60, "handshakes_per_second": 6, "burst": 7,
               "requests_per_second": 10, "requests_burst": 70, "key": "$cookie_session", "trusted": ["10.0.0.0/8"],
               "dry_run": True},
    "auth": {"basic": {"users": {"bob": HASH}}, "request": ({}, {"request": LEVELS["auth_request"]}),
             "satisfy": "any"},
    "auth_basic": {"realm": "the edge", "users": {"bob": HASH},
                   "file": ({}, {"users": None, "file": "/etc/nginx/users"})},
    "auth_request": {"upstream": "u", "path": "/verify", "request_headers": {"X-A": "b"},
                     "response_headers": ["Remote-User"], "login": "https://login.example/", "timeout": "9s"},
    "redirect": {"to": "/other", "status": 301},
    "respond": {"status": 201, "body": "x", "content_type": "text/html"},
    "tls": {
        "certificate": "/etc/ssl/b.pem", "certificate_key": "/etc/ssl/b.key",
        "certificate_content": ({}, {"certificate": None, "certificate_key": None, "certificate_content": PEM,
                                     "certificate_key_content": KEY}),
        "certificate_key_content": (
            {"certificate": None, "certificate_key": None, "certificate_content": PEM, "certificate_key_content": KEY},
            {"certificate": None, "certificate_key": None, "certificate_content": PEM,
             "certificate_key_content": KEY.replace("YQ", "YY")}),
        "self_signed": ({}, {"certificate": None, "certificate_key": None, "self_signed": True}),
        "acme": ({}, {"certificate": None, "certificate_key": None, "acme": ACME}),
        "key_type": ({"certificate": None, "certificate_key": None, "self_signed": True},
                     {"certificate": None, "certificate_key": None, "self_signed": True, "key_type": "rsa"}),
        "profile": "modern", "http2": False, "ssl_buffer_size": "8k", "redirect": 301, "redirect_listen": [81],
        "hsts": {}, "client_certificate": LEVELS["client_certificate"]},
    "acme": {"email": "b@example.com", "directory_url": "https://ca.example/directory"},
    "hsts": {"max_age": "1d", "include_subdomains": True,
             "preload": ({"include_subdomains": True}, {"include_subdomains": True, "preload": True})},
    "client_certificate": {"ca": "/etc/ssl/b.pem", "verify": "optional", "depth": 2, "crl": "/etc/ssl/crl.pem"},
    "listen": {"address": "192.0.2.1", "port": 81, "default_server": True,
               "proxy_protocol": True, "backlog": 9, "reuseport": True, "so_keepalive": True},
    "server_name": {"regex": "^b$"},
}

# Keys that change nothing on the host, and why.
WITHOUT_EFFECT = {
    "websocket_proxy_allow_no_sites": "lets an inventory without sites pass",
    "websocket_proxy_server": "is read by the proxies, not by the host that has it",
    "agree_tos": "only true is accepted",
}
