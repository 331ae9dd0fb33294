"""Sends notifications with `aioapns`, a client that nobody of this project wrote.

    apns_client.py ADDRESS CA_FILE KEY_FILE KEY_ID TEAM_ID TOPIC [CLIENT_CERTIFICATE_FILE]

Prints one JSON object on one line: by the name of each case, `[status, reason, timestamp]`.
"""

import asyncio
import json
import logging
import ssl
import sys
import time
from unittest import mock

import aioapns
from aioapns.connection import APNsProductionClientProtocol

DEVICE = "0123456789abcdef" * 4


def main() -> None:
    address, ca_file, key_file, key_id, team_id, topic, *certificate = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    # The library has no setting for its host: its constants are the only place.
    APNsProductionClientProtocol.APNS_SERVER = host
    APNsProductionClientProtocol.APNS_PORT = int(port)
    logging.disable(logging.CRITICAL)
    with open(key_file, encoding="ascii") as file:
        key = file.read()
    names = {"key": key, "key_id": key_id, "team_id": team_id, "topic": topic}
    print(json.dumps(asyncio.run(run(ca_file, names, certificate))))


async def run(ca_file: str, names: dict, certificate: list) -> dict:
    results = {}
    client = connect(ca_file, names)
    results["accepted"] = await send(client, DEVICE, time_to_live=86400, priority=10)
    results["all headers"] = await send(
        client,
        DEVICE,
        collapse_key="c" * 64,
        priority=5,
        push_type=aioapns.PushType.BACKGROUND,
        time_to_live=0,
    )
    results["dead"] = await send(client, hexadecimal("dead"))
    results["badtok"] = await send(client, hexadecimal("badtok"))
    results["nottopic"] = await send(client, hexadecimal("nottopic"))
    results["toomany"] = await send(client, hexadecimal("toomany"))
    results["oops"] = await send(client, hexadecimal("oops"))
    results["unavail"] = await send(client, hexadecimal("unavail"))
    results["not hexadecimal"] = await send(client, "not-hexadecimal")
    results["other topic"] = await send(client, DEVICE, apns_topic="org.example.other")
    results["long collapse id"] = await send(client, DEVICE, collapse_key="c" * 65)
    results["too large"] = await send(client, DEVICE, message={"aps": {}, "x": "x" * 4096})

    # With a thousand streams allowed by now, all of these are on one connection at once.
    many = await asyncio.gather(*(send(client, DEVICE) for _ in range(300)))
    results["many"] = sorted({status for status, _, _ in many})
    results["connections"] = len(client.pool.connections)
    client.pool.close()

    with mock.patch("aioapns.connection.time.time", lambda: time_of_another_clock(-3700)):
        results["expired token"] = await once(ca_file, names)
    with mock.patch("aioapns.connection.time.time", lambda: time_of_another_clock(600)):
        results["token of the future"] = await once(ca_file, names)
    results["unknown key"] = await once(ca_file, {**names, "key_id": "KEY9999999"})
    results["unknown team"] = await once(ca_file, {**names, "team_id": "TEAM999999"})
    if certificate:
        client = aioapns.APNs(
            client_cert=certificate[0],
            topic=names["topic"],
            max_connections=1,
            max_connection_attempts=1,
            ssl_context=trust(ca_file),
        )
        results["certificate"] = await send(client, DEVICE)
        client.pool.close()
    return results


def connect(ca_file: str, names: dict) -> aioapns.APNs:
    return aioapns.APNs(
        **names, max_connections=1, max_connection_attempts=1, ssl_context=trust(ca_file)
    )


def trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    return context


async def once(ca_file: str, names: dict) -> list:
    client = connect(ca_file, names)
    try:
        return await send(client, DEVICE)
    finally:
        client.pool.close()


async def send(client: aioapns.APNs, device: str, message: dict | None = None, **options) -> list:
    request = aioapns.NotificationRequest(
        device_token=device, message=message or {"aps": {"alert": "Grüße"}}, **options
    )
    result = await asyncio.wait_for(client.send_notification(request), timeout=20)
    return [result.status, result.description, result.timestamp]


def hexadecimal(text: str) -> str:
    return text.encode("ascii").hex()


# The library asks `time.time` of the module it shares with everyone.
REAL_TIME = time.time


def time_of_another_clock(seconds: int) -> float:
    return REAL_TIME() + seconds


if __name__ == "__main__":
    main()
