"""The host of a chat server: it shows a prepared secret to whoever has the token."""

import hmac
import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/api/v1/zulip-services/verify/"
SECRET_LIVES_SECONDS = 10


class ChallengeHost:
    """It listens on a free port of loopback until the program ends."""

    def __init__(self, certificate_file, key_file):
        self.prepared = None
        self.requests = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = SECRET_LIVES_SECONDS

            def do_GET(self):
                host.requests.append(f"{self.command} {self.path}")
                status, answer = host.answer(self.path)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *arguments):
                """Standard error is for what goes wrong."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file, key_file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.hostname = f"localhost:{server.server_port}"

    def prepare(self, verification_secret):
        """Keeps the secret ready for a while; gives the token that opens it."""
        access_token = secrets.token_urlsafe(32)
        until = time.monotonic() + SECRET_LIVES_SECONDS
        self.prepared = (access_token, verification_secret, until)
        return access_token

    def answer(self, path):
        """Status and body for the bouncer."""
        if not (path.startswith(PATH) and path.endswith("/")):
            return 404, {"result": "error", "msg": "Not found", "code": "BAD_REQUEST"}
        given = path.removeprefix(PATH).removesuffix("/")
        if self.prepared is not None:
            access_token, secret, until = self.prepared
            known = hmac.compare_digest(given.encode(), access_token.encode())
            if known and time.monotonic() < until:
                return 200, {"result": "success", "msg": "", "verification_secret": secret}
        return 400, {
            "result": "error",
            "msg": "Verification secret not prepared",
            "code": "REMOTE_SERVER_VERIFICATION_SECRET_NOT_PREPARED",
        }
