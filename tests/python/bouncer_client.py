"""The client of a chat server: how it calls a bouncer, and how it takes each answer.

Every call has a session of its own, the headers, bodies and time-out of the chat server's client,
and the answer is taken as that client takes it: what would make it raise, raises here.
"""

import json
from urllib.parse import urljoin

import requests

TIMEOUT_SECONDS = 15
UPLOAD_TIMEOUT_SECONDS = 90


class BouncerCallError(Exception):
    """Why a call came to nothing: status and code are those of the answer, if there was one."""

    def __init__(self, message, status=None, code=None):
        super().__init__(message)
        self.status = status
        self.code = code


class JsonableError(BouncerCallError):
    """Shown to the user, or logged; the event is lost."""


class PushNotificationBouncerError(BouncerCallError):
    """Mailed to the administrators."""


class PushNotificationBouncerRetryLaterError(BouncerCallError):
    """The event is queued again."""


class PushNotificationsDisallowedByBouncerError(BouncerCallError):
    """Push is switched off."""


class InvalidRemotePushDeviceTokenError(BouncerCallError):
    """The app is told that its device is unknown."""


class MissingRemoteRealmError(BouncerCallError):
    """The bouncer does not know the organization."""


class InvalidBouncerPublicKeyError(BouncerCallError):
    """The app was built for another bouncer."""


class RequestExpiredRemoteServerError(BouncerCallError):
    """The app sealed its registration too long ago."""


CODES = {
    "INVALID_ZULIP_SERVER": PushNotificationBouncerError,
    "PUSH_NOTIFICATIONS_DISALLOWED": PushNotificationsDisallowedByBouncerError,
}
CODES_OF_ENDPOINTS = {
    "push/test_notification": {
        "INVALID_REMOTE_PUSH_DEVICE_TOKEN": InvalidRemotePushDeviceTokenError,
    },
    "push/e2ee/register": {
        "INVALID_BOUNCER_PUBLIC_KEY": InvalidBouncerPublicKeyError,
        "REQUEST_EXPIRED": RequestExpiredRemoteServerError,
        "MISSING_REMOTE_REALM": MissingRemoteRealmError,
    },
    "push/e2ee/notify": {"MISSING_REMOTE_REALM": MissingRemoteRealmError},
}


class PushBouncerSession(requests.Session):
    """A session that lives for one call."""

    def __init__(self, ca_file):
        super().__init__()
        self.verify = ca_file
        # Settings of the surroundings are no part of the client.
        self.trust_env = False

    def request(self, *arguments, **options):
        options.setdefault("timeout", TIMEOUT_SECONDS)
        return super().request(*arguments, **options)


class BouncerClient:
    """A chat server's way to the bouncer, with its credentials."""

    def __init__(self, url, ca_file, org_id, org_key):
        self.url = url
        self.ca_file = ca_file
        self.org_id = org_id
        self.org_key = org_key

    def send(self, method, endpoint, post_data, extra_headers=None, key=None):
        """One authenticated call, with the client's reading of every status."""
        headers = {"User-agent": "ZulipServer/12.0", **(extra_headers or {})}
        url = urljoin(self.url, "/api/v1/remotes/" + endpoint)
        auth = requests.auth.HTTPBasicAuth(self.org_id, key or self.org_key)
        upload = (method, endpoint) == ("POST", "server/analytics")
        timeout = UPLOAD_TIMEOUT_SECONDS if upload else TIMEOUT_SECONDS
        session = PushBouncerSession(self.ca_file)
        try:
            response = session.request(
                method, url, data=post_data, auth=auth, headers=headers, timeout=timeout
            )
        except requests.exceptions.RequestException as error:
            raise PushNotificationBouncerRetryLaterError(type(error).__name__) from error

        status = response.status_code
        if status >= 500:
            raise PushNotificationBouncerRetryLaterError(f"received {status}", status)
        if status >= 400:
            result = json.loads(response.content)
            code = result.get("code")
            known = {**CODES, **CODES_OF_ENDPOINTS.get(endpoint, {})}
            raise known.get(code, JsonableError)(result["msg"], status, code)
        if status != 200:
            raise PushNotificationBouncerError(f"unexpected status {status}", status)
        return json.loads(response.content)

    def send_json(self, endpoint, post_data):
        """As above, with a JSON body."""
        body = json.dumps(post_data, ensure_ascii=False).encode()
        return self.send("POST", endpoint, body, {"Content-type": "application/json"})

    def post_openly(self, endpoint, form):
        """A call of `manage.py register_server`: no authentication, no agent of its own."""
        url = self.url + "/api/v1/remotes/" + endpoint
        return PushBouncerSession(self.ca_file).post(url, data=form)

    def registration_form(self, hostname):
        """What `manage.py register_server` sends."""
        return {
            "zulip_org_id": self.org_id,
            "zulip_org_key": self.org_key,
            "hostname": hostname,
            "contact_email": "admin@selfhosted.test",
        }

    def register_server(self, hostname, **changes):
        """`manage.py register_server`: whether the server was new."""
        form = {**self.registration_form(hostname), **changes}
        response = self.post_openly("server/register", form)
        response.raise_for_status()
        return response.json()["created"]

    def notify(self, request):
        """A notification in clear; the asserts are the client's."""
        answer = self.send_json("push/notify", request)
        assert isinstance(answer["total_android_devices"], int), answer
        assert isinstance(answer["total_apple_devices"], int), answer
        assert isinstance(answer["deleted_devices"], dict), answer
        for platform in ("android_devices", "apple_devices"):
            assert isinstance(answer["deleted_devices"][platform], list), answer
        if answer.get("realm") is not None:
            assert_push_status(answer["realm"])
        return answer

    def notify_encrypted(self, request):
        """An encrypted notification; the asserts are the client's."""
        answer = self.send_json("push/e2ee/notify", request)
        assert isinstance(answer["apple_successfully_sent_count"], int), answer
        assert isinstance(answer["android_successfully_sent_count"], int), answer
        assert all(isinstance(token_id, str) for token_id in answer["delete_token_ids"]), answer
        assert_push_status(answer["realm_push_status"])
        return answer


def assert_push_status(status):
    """May this realm push, and until when."""
    assert isinstance(status["can_push"], bool), status
    end = status["expected_end_timestamp"]
    assert end is None or isinstance(end, int), status


def refusal(call, *arguments, **options):
    """What the client raises."""
    try:
        call(*arguments, **options)
    except BouncerCallError as error:
        return error
    raise AssertionError("nothing was refused")
