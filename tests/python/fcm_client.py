"""Sends messages with `firebase-admin`, a client that nobody of this project wrote.

    fcm_client.py ADDRESS CA_FILE SERVICE_ACCOUNT_FILE [OTHER_SERVICE_ACCOUNT_FILE]

The second account is one the server does not know. Prints one JSON object on one line: by the name of each case,
`[accepted, exception, code]`.
"""

import asyncio
import json
import os
import sys

address, ca_file, account_file, *strangers = sys.argv[1:]
# Read when connections are made: `requests` takes the first, `httpx` the second.
os.environ["REQUESTS_CA_BUNDLE"] = ca_file
os.environ["SSL_CERT_FILE"] = ca_file

import firebase_admin  # noqa: E402
from firebase_admin import _http_client, credentials, messaging  # noqa: E402
from google.oauth2 import service_account  # noqa: E402

# The library has no settings for these: its constants are the only place.
messaging._MessagingService.FCM_URL = f"https://{address}/v1/projects/{{0}}/messages:send"
service_account._GOOGLE_OAUTH2_TOKEN_ENDPOINT = f"https://{address}/token"
# Its retries of 500 and 503 wait for seconds.
_http_client.DEFAULT_RETRY_CONFIG.backoff_factor = 0.01
_http_client.DEFAULT_HTTPX_RETRY_CONFIG.backoff_factor = 0.01

CASES = {
    "accepted": "device",
    "dead": "dead",
    "badtok": "badtok",
    "nottopic": "nottopic",
    "toomany": "toomany",
    "oops": "oops",
    "unavail": "unavail",
    "third party": "reason-THIRD_PARTY_AUTH_ERROR-",
    "no such entity": "reason-NOT_FOUND-",
}


def main() -> None:
    app = firebase_admin.initialize_app(credentials.Certificate(account_file))
    results = {name: one(app, message(token)) for name, token in CASES.items()}
    results["reserved key"] = one(app, message("device", {"from": "here"}))
    results["too large"] = one(app, message("device", {"key": "x" * 4096}))
    results["rehearsal"] = one(app, message("device"), dry_run=True)
    batch = messaging.send_each([message(token) for token in CASES.values()], app=app)
    results["send_each"] = summary(batch)
    batch = asyncio.run(
        messaging.send_each_async([message(token) for token in CASES.values()], app=app)
    )
    results["send_each_async"] = summary(batch)
    for number, stranger in enumerate(strangers):
        credential = credentials.Certificate(stranger)
        other = firebase_admin.initialize_app(credential, name=f"other {number}")
        results["unknown account"] = one(other, message("device"))
    print(json.dumps(results))


def message(token: str, data: dict | None = None) -> messaging.Message:
    return messaging.Message(
        token=token,
        data=data or {"event": "message", "content": "Grüße"},
        android=messaging.AndroidConfig(priority="high"),
    )


def one(app: firebase_admin.App, sent: messaging.Message, dry_run: bool = False) -> list:
    try:
        name = messaging.send(sent, dry_run=dry_run, app=app)
    except Exception as error:  # Whatever the library makes of the answer is the result.
        return describe(error)
    return [name.startswith("projects/"), None, None]


def summary(batch: messaging.BatchResponse) -> dict:
    return {
        name: [True, None, None] if response.success else describe(response.exception)
        for name, response in zip(CASES, batch.responses, strict=True)
    }


def describe(error: Exception) -> list:
    return [False, type(error).__name__, getattr(error, "code", None)]


if __name__ == "__main__":
    main()
