"""Turns the knobs of a fake push service over its control port."""

import json
import urllib.request


class Control:
    """The control port at this URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> dict:
        return self._ask("GET", path, None)

    def put(self, path: str, **body) -> dict:
        return self._ask("PUT", path, body)

    def post(self, path: str, **body) -> dict:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict | None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
