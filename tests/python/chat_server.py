"""Talks to a bouncer as a chat server does: python3 chat_server.py URL CA_FILE.

Every call has a session of its own, the headers, bodies and time-out of the chat server's client,
and the answer is taken as that client takes it: what would make it raise, raises here. Prints one
JSON line that tells what happened.
"""

import json
import sys
from urllib.parse import urljoin

import requests

TIMEOUT_SECONDS = 15
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


class JsonableError(Exception):
    """Shown to the user, or logged; the event is lost."""


class PushNotificationBouncerError(Exception):
    """Mailed to the administrators."""


class PushNotificationBouncerRetryLaterError(Exception):
    """The event is queued again."""


class PushNotificationsDisallowedByBouncerError(Exception):
    """Push is switched off."""


class InvalidRemotePushDeviceTokenError(Exception):
    """The app is told that its device is unknown."""


class PushBouncerSession(requests.Session):
    """A session that lives for one call."""

    def __init__(self):
        super().__init__()
        self.verify = sys.argv[2]
        # Settings of the surroundings are no part of the client.
        self.trust_env = False

    def request(self, *arguments, **options):
        options.setdefault("timeout", TIMEOUT_SECONDS)
        return super().request(*arguments, **options)


def send_to_push_bouncer(method, endpoint, post_data, extra_headers=None, key=ORG_KEY):
    """One authenticated call, with the client's reading of every status."""
    headers = {"User-agent": "ZulipServer/10.0", **(extra_headers or {})}
    url = urljoin(sys.argv[1], "/api/v1/remotes/" + endpoint)
    auth = requests.auth.HTTPBasicAuth(ORG_ID, key)
    session = PushBouncerSession()
    try:
        response = session.request(method, url, data=post_data, auth=auth, headers=headers)
    except requests.exceptions.RequestException as error:
        raise PushNotificationBouncerRetryLaterError(type(error).__name__) from error

    if response.status_code >= 500:
        raise PushNotificationBouncerRetryLaterError(str(response.status_code))
    if response.status_code >= 400:
        result = json.loads(response.content)
        message = result["msg"]
        code = result.get("code")
        if code == "INVALID_ZULIP_SERVER":
            raise PushNotificationBouncerError(message)
        if code == "PUSH_NOTIFICATIONS_DISALLOWED":
            raise PushNotificationsDisallowedByBouncerError(message)
        if endpoint == "push/test_notification" and code == "INVALID_REMOTE_PUSH_DEVICE_TOKEN":
            raise InvalidRemotePushDeviceTokenError(message)
        raise JsonableError(message)
    if response.status_code != 200:
        raise PushNotificationBouncerError(f"unexpected status {response.status_code}")
    return json.loads(response.content)


def send_json_to_push_bouncer(endpoint, post_data):
    """As above, with a JSON body."""
    body = json.dumps(post_data, ensure_ascii=False).encode()
    return send_to_push_bouncer("POST", endpoint, body, {"Content-type": "application/json"})


def register_server():
    """`manage.py register_server`: no authentication, no agent of its own."""
    request = {
        "zulip_org_id": ORG_ID,
        "zulip_org_key": ORG_KEY,
        "hostname": "chat.selfhosted.test",
        "contact_email": "admin@selfhosted.test",
    }
    url = sys.argv[1] + "/api/v1/remotes/server/register"
    response = PushBouncerSession().post(url, data=request)
    response.raise_for_status()
    return "created" if response.json()["created"] else "updated"


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
    """One message notification; the asserts are the client's."""
    answer = send_json_to_push_bouncer(
        "push/notify",
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
    assert isinstance(answer["total_android_devices"], int), answer
    assert isinstance(answer["total_apple_devices"], int), answer
    assert isinstance(answer["deleted_devices"], dict), answer
    for platform in ("android_devices", "apple_devices"):
        assert isinstance(answer["deleted_devices"][platform], list), answer
    realm = answer.get("realm")
    if realm is not None:
        assert isinstance(realm["can_push"], bool), answer
        end = realm["expected_end_timestamp"]
        assert end is None or isinstance(end, int), answer
    return answer


def test_notification(token, kind):
    """What a user asks for in the settings of the app."""
    send_json_to_push_bouncer(
        "push/test_notification",
        {
            **USER,
            "realm_uuid": REALM_UUID,
            "token": token,
            "token_kind": kind,
            "base_payload": BASE,
        },
    )


def refusal(call, *arguments, **options):
    """The name of what the client would raise."""
    try:
        call(*arguments, **options)
    except (
        JsonableError,
        PushNotificationBouncerError,
        PushNotificationBouncerRetryLaterError,
        InvalidRemotePushDeviceTokenError,
    ) as error:
        return type(error).__name__
    raise AssertionError("nothing was refused")


def main():
    registered = [register_server(), register_server()]
    apple = device_request(APPLE_TOKEN, APNS)
    android = device_request(ANDROID_TOKEN, FCM)
    wrong_key = refusal(send_to_push_bouncer, "POST", "push/register", android, key="x" * 64)

    with_app = {**apple, "ios_app_id": "org.zulip.Zulip"}
    send_to_push_bouncer("POST", "push/register", with_app)
    send_to_push_bouncer("POST", "push/register", android)
    answer = notify([ANDROID_TOKEN, "fcm-gone"], [APPLE_TOKEN, "deadbeef"])

    test_notification(APPLE_TOKEN, APNS)
    test_notification(ANDROID_TOKEN, FCM)
    unknown = refusal(test_notification, "fcm-gone", FCM)

    # Newer clients send the token of an iPhone in lower case here, others as the app wrote it.
    send_to_push_bouncer("POST", "push/unregister", {**apple, "token": APPLE_TOKEN.upper()})
    twice = refusal(send_to_push_bouncer, "POST", "push/unregister", apple)
    everything = {key: android[key] for key in ("server_uuid", "user_uuid", "realm_uuid", "user_id")}
    send_to_push_bouncer("POST", "push/unregister/all", everything)
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
                    "wrong key": wrong_key,
                    "unknown device": unknown,
                    "unregistered twice": twice,
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
