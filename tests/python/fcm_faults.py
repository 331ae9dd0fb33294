"""Sends messages with `firebase-admin` to `push-bouncer sandbox fcm`, for several projects and while things go wrong.

    fcm_faults.py TOLD

`TOLD` is what the command printed. Prints one JSON object on one line.
"""

import asyncio
import json
import os
import sys

from sandbox_control import Control

told = json.loads(sys.argv[1])
# Read when connections are made: `requests` takes the first, `httpx` the second.
os.environ["REQUESTS_CA_BUNDLE"] = told["authority_file"]
os.environ["SSL_CERT_FILE"] = told["authority_file"]

import firebase_admin  # noqa: E402
from firebase_admin import _http_client, credentials, messaging  # noqa: E402
from google.oauth2 import service_account  # noqa: E402

# The library has no settings for these: its constants are the only place.
address = "localhost:" + told["url"].rsplit(":", 1)[1]
messaging._MessagingService.FCM_URL = f"https://{address}/v1/projects/{{0}}/messages:send"
service_account._GOOGLE_OAUTH2_TOKEN_ENDPOINT = told["token_uri"]
# Its retries of 500 and 503 wait for seconds.
_http_client.DEFAULT_RETRY_CONFIG.backoff_factor = 0.01
_http_client.DEFAULT_HTTPX_RETRY_CONFIG.backoff_factor = 0.01


def main() -> None:
    control = Control(told["control_url"])
    apps = {
        project: firebase_admin.initialize_app(credentials.Certificate(file), name=project)
        for project, file in told["service_account_files"].items()
    }
    first, second = apps["first-chat"], apps["second-chat"]
    results = {
        "first": one(first, "device@first-chat"),
        "second": one(second, "device@second-chat"),
        "of another project": one(first, "device@second-chat"),
        "dead": one(second, "dead"),
    }

    control.put("/faults", outage="service_unavailable")
    results["outage"] = one(first, "device")
    control.put("/faults")
    results["recovered"] = one(first, "device")

    control.post("/revoke", how="expired")
    results["after its token expired"] = one(first, "device")
    control.post("/revoke")
    control.put("/faults", token_outage="invalid_grant")
    results["without a token"] = one(first, "device")
    control.put("/faults")
    results["with a token again"] = one(first, "device")

    # The asynchronous client speaks HTTP/2. Whatever was not processed it sends again on another connection; what was
    # before the GOAWAY it gives up, though it would be answered.
    control.put("/faults", latency_ms=100)
    control.post("/goaway", at_stream=2, reason="maintenance")
    messages = [messaging.Message(token=f"goaway-{number}") for number in range(3)]
    asyncio.run(messaging.send_each_async(messages, app=first))
    results["goaway said"] = control.get("/faults")["goaway"] is None
    entries = control.get("/requests?limit=1000")["requests"]
    tokens = [entry["token"] for entry in entries if entry["is_accepted"]]
    results["accepted once"] = [tokens.count(f"goaway-{number}") for number in range(3)]
    print(json.dumps(results))


def one(app: firebase_admin.App, token: str) -> str:
    try:
        messaging.send(messaging.Message(token=token, data={"event": "message"}), app=app)
    except Exception as error:  # Whatever the library makes of the answer is the result.
        return type(error).__name__
    return "accepted"


if __name__ == "__main__":
    main()
