"""Talks to a bouncer as a chat server does: python3 chat_server.py URL CA_FILE.

Prints one JSON line that tells what happened.
"""

import json
import sys

from bouncer_client import BouncerClient, refusal

ORG_ID = "c4a70000-0000-4000-8000-00000000c4a7"
ORG_KEY = "cHaT" * 16
USER = {"user_id": 7, "user_uuid": "77777777-7777-4777-8777-777777777777"}
REALM_UUID = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa7"
APNS, FCM = 1, 2
APPLE_TOKEN = "c0ffeec0ffeec0ff"
ANDROID_TOKEN = "fcm-chat-server:APA91b_-x"

BASE = {
    "server": "chat.selfhosted.test",
    "realm_id": 2,
    "realm_uri": "https://chat.selfhosted.test",
    "realm_url": "https://chat.selfhosted.test",
    "realm_name": "Chat",
    "user_id": 7,
}
MESSAGE = {
    **BASE,
    "sender_id": 8,
    "sender_email": "cordelia@selfhosted.test",
    "time": 1740000000,
    "recipient_type": "stream",
    "stream": "Denmark",
    "stream_id": 3,
    "topic": "h\u00e9llo \U0001f600",
}


SERVER = BouncerClient(sys.argv[1], sys.argv[2], ORG_ID, ORG_KEY)


def register_server():
    """`manage.py register_server`, in the words of the report."""
    return "created" if SERVER.register_server("chat.selfhosted.test") else "updated"


def device_request(token, kind):
    """The form of register and unregister."""
    return {
        "server_uuid": ORG_ID,
        "user_uuid": USER["user_uuid"],
        "realm_uuid": REALM_UUID,
        "user_id": USER["user_id"],
        "token": token,
        "token_kind": kind,
    }


def notify(android_tokens, apple_tokens):
    """One message notification."""
    return SERVER.notify(
        {
            **USER,
            "realm_uuid": REALM_UUID,
            "apns_payload": {
                "alert": {
                    "title": "#Denmark > h\u00e9llo",
                    "subtitle": "Cordelia:",
                    "body": "hi",
                },
                "sound": "default",
                "badge": 0,
                "custom": {"zulip": {**MESSAGE, "message_ids": [42]}},
            },
            "gcm_payload": {
                **MESSAGE,
                "event": "message",
                "zulip_message_id": 42,
                "content": "hi",
                "content_truncated": False,
                "sender_full_name": "Cordelia",
                "sender_avatar_url": "https://chat.selfhosted.test/avatar/8",
            },
            "gcm_options": {"priority": "high"},
            "android_devices": android_tokens,
            "apple_devices": apple_tokens,
        },
    )


def test_notification(token, kind):
    """What a user asks for in the settings of the app."""
    SERVER.send_json(
        "push/test_notification",
        {
            **USER,
            "realm_uuid": REALM_UUID,
            "token": token,
            "token_kind": kind,
            "base_payload": BASE,
        },
    )


def main():
    registered = [register_server(), register_server()]
    apple = device_request(APPLE_TOKEN, APNS)
    android = device_request(ANDROID_TOKEN, FCM)
    wrong_key = refusal(SERVER.send, "POST", "push/register", android, key="x" * 64)

    with_app = {**apple, "ios_app_id": "org.zulip.Zulip"}
    SERVER.send("POST", "push/register", with_app)
    SERVER.send("POST", "push/register", android)
    answer = notify([ANDROID_TOKEN, "fcm-gone"], [APPLE_TOKEN, "deadbeef"])

    test_notification(APPLE_TOKEN, APNS)
    test_notification(ANDROID_TOKEN, FCM)
    unknown = refusal(test_notification, "fcm-gone", FCM)

    # Newer clients send the token of an iPhone in lower case here, others as the app wrote it.
    SERVER.send("POST", "push/unregister", {**apple, "token": APPLE_TOKEN.upper()})
    twice = refusal(SERVER.send, "POST", "push/unregister", apple)
    everything = {
        key: android[key] for key in ("server_uuid", "user_uuid", "realm_uuid", "user_id")
    }
    SERVER.send("POST", "push/unregister/all", everything)
    left = notify([], [])

    print(
        json.dumps(
            {
                "registered": registered,
                "devices": 2,
                "notified": {
                    "android": answer["total_android_devices"],
                    "apple": answer["total_apple_devices"],
                },
                "forgotten": {
                    "android": answer["deleted_devices"]["android_devices"],
                    "apple": answer["deleted_devices"]["apple_devices"],
                },
                "realm": answer["realm"],
                "tested": 2,
                "refused": {
                    "wrong key": type(wrong_key).__name__,
                    "unknown device": type(unknown).__name__,
                    "unregistered twice": type(twice).__name__,
                },
                "left": {
                    "android": left["total_android_devices"],
                    "apple": left["total_apple_devices"],
                },
            }
        )
    )


if __name__ == "__main__":
    main()
