"""Sends notifications with `aioapns` to `push-bouncer sandbox apns`, while things go wrong there on purpose.

    apns_faults.py TOLD

`TOLD` is what the command printed. Prints one JSON object on one line.
"""

import asyncio
import json
import logging
import ssl
import sys

import aioapns
from aioapns.connection import APNsProductionClientProtocol
from sandbox_control import Control

DEVICE = "0123456789abcdef" * 4
GONE_AT = 1_700_000_000_123


def main() -> None:
    told = json.loads(sys.argv[1])
    # The library has no setting for its host: its constants are the only place.
    APNsProductionClientProtocol.APNS_SERVER = "localhost"
    APNsProductionClientProtocol.APNS_PORT = int(told["url"].rsplit(":", 1)[1])
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(run(told, Control(told["control_url"])))))


async def run(told: dict, control: Control) -> dict:
    goodbyes = listen_for_goodbyes()
    with open(told["key_file"], encoding="ascii") as file:
        key = file.read()
    context = ssl.create_default_context(cafile=told["authority_file"])
    context.set_alpn_protocols(["h2"])
    client = aioapns.APNs(
        key=key,
        key_id=told["key_id"],
        team_id=told["team_id"],
        topic="org.example.chat",
        max_connections=1,
        max_connection_attempts=3,
        ssl_context=context,
    )
    results = {"accepted": await send(client, DEVICE)}

    control.put("/faults", gone_at_ms=GONE_AT)
    results["dead"] = await send(client, b"dead".hex())

    # The library closes a connection at its GOAWAY, and sends what was on it again on another. One at a time: it opens
    # several streams on a new connection before it has read the limit, and waits for ever for those that are refused.
    control.post("/goaway", at_stream=2, reason="Shutdown")
    results["before a goaway"] = await send(client, DEVICE)
    results["through a goaway"] = await send(client, DEVICE)
    results["goodbyes"] = goodbyes
    results["processed"] = len(control.get("/requests")["requests"])

    control.put("/faults", outage="service_unavailable")
    results["outage"] = await send(client, DEVICE)
    control.put("/faults", outage="refuse")
    control.post("/close-connections")
    results["refused"] = await send(client, DEVICE)
    control.put("/faults")
    results["recovered"] = await send(client, DEVICE)

    control.post("/cut", is_accepted=True)
    results["cut"] = await send(client, DEVICE)
    client.pool.close()
    entries = control.get("/requests?limit=1000")["requests"]
    results["lost answers"] = sum(entry["is_answer_lost"] for entry in entries)
    lost = next(entry for entry in entries if entry["is_answer_lost"])
    same = [entry for entry in entries if entry["headers"]["apns-id"] == lost["headers"]["apns-id"]]
    results["sent again with the same id"] = len(same) - 1
    return results


def listen_for_goodbyes() -> list:
    goodbyes = []
    library = APNsProductionClientProtocol.on_connection_terminated

    def note(self, event) -> None:
        data = json.loads(event.additional_data) if event.additional_data else None
        goodbyes.append([int(event.error_code), data])
        library(self, event)

    APNsProductionClientProtocol.on_connection_terminated = note
    return goodbyes


async def send(client: aioapns.APNs, device: str) -> list:
    request = aioapns.NotificationRequest(device_token=device, message={"aps": {"alert": "hi"}})
    try:
        result = await asyncio.wait_for(client.send_notification(request), timeout=20)
    except Exception as error:  # Whatever the library makes of a fault is the result.
        return [type(error).__name__, None, None]
    return [result.status, result.description, result.timestamp]


if __name__ == "__main__":
    main()
