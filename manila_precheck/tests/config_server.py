# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


"""A server of configuration files, on this machine alone."""

import http.server
import threading
import time

import fixtures


class Server(fixtures.Fixture):
    """Serves files until the end of a test.

    :param files: path to content, as text or bytes; an int is an error.
    """

    def __init__(self, files=None):
        super().__init__()
        self.files = files or {}

    def _setUp(self):
        self.ended = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args):
                """Ignore clients that have gone."""

        server = Quiet(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{server.server_port}'
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.addCleanup(self.ended.set)

    def answer(self, handler):
        path = handler.path
        if path == '/slow':
            # Each byte arrives in time, but the answer never ends.
            self.send(handler, b'HTTP/1.0 200 OK\r\n\r\n', b'#', 0.05)
        elif path == '/slow-head':
            self.send(handler, b'', b'H', 0.05)
        elif path == '/endless':
            self.send(handler, b'HTTP/1.0 200 OK\r\n\r\n', b'#' * 2**20, 0)
        elif path == '/moved':
            handler.send_response(302)
            handler.send_header('Location', '/manila.conf')
            handler.end_headers()
        elif path == '/circle':
            handler.send_response(302)
            handler.send_header('Location', path)
            handler.end_headers()
        else:
            self.send_file(handler, self.files.get(path, 404))

    def send(self, handler, head, part, seconds):
        handler.wfile.write(head)
        while not self.ended.is_set():
            handler.wfile.write(part)
            handler.wfile.flush()
            time.sleep(seconds)

    def send_file(self, handler, content):
        if isinstance(content, int):
            handler.send_error(content)
            return
        if isinstance(content, str):
            content = content.encode()
        handler.send_response(200)
        handler.send_header('Content-Length', str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
