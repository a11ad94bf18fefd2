"""More real applications behind the edge, from PyPI and Debian, over TLS, at the root of a site and below a prefix.

Only ``make soak`` collects this module, because it installs the applications.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_applications import PREFIXES
from tests.support.container import CHECKOUT, Container
from tests.support.edge import Edge
from tests.support.ports import free_port
from tests.support.published import NAME, Published, installed
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until

pytestmark = NEWEST
PACKAGES = "ntfy novnc websockify tigervnc-standalone-server cockpit-ws cockpit-bridge syncthing"
# This is larger than nginx's own limit of 1 MB.
UPLOAD = b"x" * (5 << 20)


@pytest.fixture(scope="module")
def programs() -> Path:
    """Install the applications from PyPI; return the folder of their programs."""
    return installed("more")


@pytest.fixture(name="site", params=[0, 8443], ids=["own-port", "mapped-port"])
def site_(serving: Edge, request: pytest.FixtureRequest) -> Iterator[Published]:
    """Provide a site without an application."""
    yield Published(serving, request.param)
    serving.stop()


@pytest.fixture(scope="module")
def debian() -> Iterator[Edge]:
    """Provide an edge with Debian's applications and a browser on it."""
    build = [str(CHECKOUT / "molecule/image/build"), "--with-tools", "trixie"]
    container = Container(subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True).stdout.strip(), "host")
    container.shell("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "
                    + PACKAGES)
    yield Edge(container)
    container.remove()


@pytest.fixture(name="packaged")
def packaged_(debian: Edge) -> Iterator[Published]:
    """Provide a site for an application that is on the edge itself."""
    yield Published(debian)
    debian.stop()


def multipart(name: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body of a form with one file, and its headers."""
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="a.bin"\r\n\r\n'
    return head.encode() + content + b"\r\n--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


@PREFIXES
def test_streamlit_takes_a_websocket_of_its_own_origin(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("Streamlit", prefix)
    with site.running(programs / "streamlit", "run", "streamlit_app.py", "--server.port", site.backend,
                      "--server.address", "127.0.0.1", "--server.headless", "true",
                      "--browser.gatherUsageStats", "false", "--server.baseUrlPath", prefix):
        assert "Streamlit" in site.get(f"{prefix}/")[1]
        with site.open(f"{prefix}/_stcore/stream", subprotocols=["streamlit"]) as connection:
            # BackMsg.rerun_script: the page requests its contents.
            connection.send(b"Z\0")
            while b"hello" not in connection.recv(60):
                pass
        assert site.refused(f"{prefix}/_stcore/stream", subprotocols=["streamlit"]) == {403}


@PREFIXES
def test_bokeh_takes_a_websocket_of_the_origin_that_it_is_told(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("Bokeh", prefix)
    with site.running(programs / "bokeh", "serve", "bokeh_app.py", "--port", site.backend, "--address", "127.0.0.1",
                      "--allow-websocket-origin", f"{NAME}:{site.named}", f"--prefix={prefix}"):
        found = re.search(r'"token":"([^"]+)"', site.get(f"{prefix}/bokeh_app")[1])
        assert found
        protocols = ["bokeh", found[1]]
        with site.open(f"{prefix}/bokeh_app/ws", subprotocols=protocols) as connection:
            assert json.loads(connection.recv(10))["msgtype"] == "ACK"
        assert site.refused(f"{prefix}/bokeh_app/ws", subprotocols=protocols) == {403}


@PREFIXES
def test_jupyter_runs_code_for_its_own_origin(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("Jupyter Server", prefix)
    with site.running(programs / "jupyter", "server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
                      f"--ServerApp.port={site.backend}", "--IdentityProvider.token=secret",
                      "--ServerApp.allow_remote_access=True", f"--ServerApp.base_url={prefix}/"):
        token = {"Authorization": "token secret"}
        status, answer = site.get(f"{prefix}/api/kernels", b"{}", **token)
        assert status == 201, answer
        channels = f"{prefix}/api/kernels/{json.loads(answer)['id']}/channels"
        # The client uses a cookie as a browser does, because a client with a token may have any origin.
        login = {"Cookie": site.ask(f"{prefix}/api?token=secret")[2]}
        with site.open(channels, additional_headers=login) as connection:
            connection.send(json.dumps({
                "header": {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "",
                           "version": "5.0"},
                "parent_header": {}, "metadata": {}, "channel": "shell",
                "content": {"code": "print(6 * 7)", "silent": False}}))
            while (message := json.loads(connection.recv(60)))["msg_type"] != "stream":
                pass
            assert message["content"]["text"] == "42\n"
        assert site.refused(channels, additional_headers=login) == {403}


@PREFIXES
def test_nicegui_comes_up_and_takes_an_upload(site: Published, programs: Path, prefix: str, tmp_path: Path) -> None:
    site.serve_as_documented("NiceGUI", prefix)
    with site.running(programs / "python", "nicegui_app.py", site.backend, NICEGUI_STORAGE_PATH=str(tmp_path)):
        page = site.get(f"{prefix}/")[1]
        assert f"{prefix}/_nicegui/" in page
        with site.open(f"{prefix}/_nicegui_ws/socket.io/?EIO=4&transport=websocket") as connection:
            assert str(connection.recv(10)).startswith('0{"sid"')
        found = re.search(r"/_nicegui/client/[^\"' ]+/upload/[0-9]+", page)
        assert found
        body, headers = multipart("file", UPLOAD)
        assert site.get(f"{prefix}{found[0]}", body, **headers)[0] == 200
        assert site.get(f"{prefix}/size")[1] == str(len(UPLOAD))


@PREFIXES
def test_gradio_takes_an_upload_and_streams_its_answer(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("Gradio", prefix)
    with site.running(programs / "python", "gradio_app.py", GRADIO_SERVER_PORT=str(site.backend),
                      GRADIO_ROOT_PATH=prefix, GRADIO_ANALYTICS_ENABLED="False", no_proxy="127.0.0.1,localhost"):
        # Gradio looks for a free port first.
        wait_until(lambda: site.get(f"{prefix}/config")[0] == 200)
        root = json.loads(site.get(f"{prefix}/config")[1])["root"]
        assert root.removeprefix(site.origin) == prefix
        body, headers = multipart("files", UPLOAD)
        assert site.get(f"{prefix}/gradio_api/upload", body, **headers)[0] == 200
        event = json.loads(site.get(f"{prefix}/gradio_api/call/predict", b'{"data": ["edge"]}',
                                    **{"Content-Type": "application/json"})[1])["event_id"]
        assert 'data: ["hello edge"]' in site.get(f"{prefix}/gradio_api/call/predict/{event}")[1]


@PREFIXES
def test_marimo_runs_a_notebook(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("marimo", prefix)
    with site.running(programs / "marimo", "run", "marimo_app.py", "--headless", "--host", "127.0.0.1", "--port",
                      site.backend, "--base-url", prefix, "--no-token"):
        assert "marimo" in site.get(f"{prefix}/")[1]
        with site.open(f"{prefix}/ws?session_id=s_123456") as connection:
            while "forty-two" not in str(connection.recv(60)):
                pass


def test_ntfy_sends_each_message_when_it_comes(packaged: Published) -> None:
    packaged.serve_as_documented("ntfy")
    with packaged.running_on_the_edge(f"ntfy serve --listen-http 127.0.0.1:{packaged.backend} --behind-proxy "
                                      f"--base-url {packaged.origin} --attachment-cache-dir /tmp/ntfy"):
        came: dict[str, float] = {}

        def read(form: str) -> None:
            body = subprocess.Popen(
                ["curl", "-kNs", "--resolve", f"{NAME}:{packaged.port}:127.0.0.1", *(
                    ["-H", "Accept: text/event-stream"] if form == "sse" else []),
                 f"https://{NAME}:{packaged.port}/rooms/{form}"], stdout=subprocess.PIPE, text=True)
            assert body.stdout
            for line in body.stdout:
                if "hello" in line:
                    came[form] = time.monotonic()
                    break
            body.kill()
            body.wait()

        readers = [threading.Thread(target=read, args=(form,)) for form in ("json", "sse", "raw")]
        for reader in readers:
            reader.start()
        with packaged.open("/rooms/ws") as connection:
            assert "open" in str(connection.recv(10))
            time.sleep(1)
            sent = time.monotonic()
            assert packaged.get("/rooms", b"hello")[0] == 200
            assert "hello" in str(connection.recv(10))
        for reader in readers:
            reader.join(30)
        assert came.keys() == {"json", "sse", "raw"} and max(came.values()) - sent < 20
        assert packaged.ask("/rooms", UPLOAD, "PUT", Filename="a.bin")[0] == 200


@PREFIXES
def test_novnc_shows_a_desktop_in_a_browser(packaged: Published, prefix: str) -> None:
    packaged.serve_as_documented("noVNC", prefix)
    container, vnc = packaged.edge.container, free_port()
    container.write({"/etc/chromium.d/tests": 'export CHROMIUM_FLAGS="$CHROMIUM_FLAGS --ignore-certificate-errors"\n',
                     "/tmp/browse.py": (CHECKOUT / "molecule/shared/browse.py").read_text()})
    display = container.shell(f"setsid Xtigervnc :{vnc % 1000} -rfbport {vnc} -localhost -SecurityTypes None "
                              "-desktop ours -geometry 320x240 > /tmp/vnc.log 2>&1 & echo $!").strip()
    try:
        with packaged.running_on_the_edge(
                f"websockify --web /usr/share/novnc 127.0.0.1:{packaged.backend} 127.0.0.1:{vnc}"):
            page = f"{packaged.origin}{prefix}/vnc.html?autoconnect=1&path={prefix.lstrip('/') and 'tools/'}websockify"
            connected = "document.documentElement.classList.contains('noVNC_connected') ? document.title : null"
            container.write({"/tmp/connected.js": connected, "/tmp/page": page})
            shown = json.loads(container.shell(
                f'python3 /tmp/browse.py "$(cat /tmp/connected.js)" "MAP {NAME} 127.0.0.1" "$(cat /tmp/page)"'))
            assert "ours" in shown[0], shown
    finally:
        container.run(f"pkill -KILL -s {display}")


@PREFIXES
def test_cockpit_opens_its_socket_for_its_own_origin(packaged: Published, prefix: str) -> None:
    packaged.serve_as_documented("Cockpit", prefix)
    packaged.edge.container.write({"/etc/cockpit/cockpit.conf": "[WebService]\nProtocolHeader = X-Forwarded-Proto\n"
                                   f"UrlRoot = {prefix}\n"})
    with packaged.running_on_the_edge(f"/usr/lib/cockpit/cockpit-ws --no-tls --address 127.0.0.1 --port "
                                      f"{packaged.backend} --local-session /usr/bin/cockpit-bridge"):
        with packaged.open(f"{prefix}/cockpit/socket", subprotocols=["cockpit1"]) as connection:
            assert "init" in str(connection.recv(10))
        assert packaged.refused(f"{prefix}/cockpit/socket", packaged.foreign[:1], subprotocols=["cockpit1"]) == {403}


@PREFIXES
def test_syncthing_answers_a_name_that_is_not_its_own(packaged: Published, prefix: str) -> None:
    packaged.serve_as_documented("Syncthing", prefix)
    with packaged.running_on_the_edge("syncthing serve --no-browser --no-restart --home /tmp/syncthing "
                                      f"--gui-address 127.0.0.1:{packaged.backend}"):
        status, page = packaged.get(f"{prefix}/")
        assert (status, "Syncthing" in page) == (200, True)
        packaged.serve(locations=[{"path": "/", "upstream": "app"}])
        assert packaged.get("/")[0] == 403
