"""The whole life of a self-hosted server, told to a bouncer from outside:
python3 life_of_a_server.py URL CA_FILE CERTIFICATE_FILE KEY_FILE PUBLIC_KEY

The certificate is that of the server's own host, `localhost`; the public key is the one its users'
apps were built with. Prints a line for each step that went as it should, and `pushes? 2` when it
waits for two that reached Apple and Google since it last asked (the answer is one JSON line on
standard input); ends with an error at the first thing that is different.
"""

import json
import secrets
import sys
import uuid

from bouncer_client import (
    BouncerClient,
    InvalidBouncerPublicKeyError,
    InvalidRemotePushDeviceTokenError,
    JsonableError,
    MissingRemoteRealmError,
    RequestExpiredRemoteServerError,
    refusal,
)
from challenge_host import PATH
from self_hosted_server import (
    ANDROID,
    IPHONE,
    REALM,
    REALM_UUID,
    SelfHostedServer,
    new_key,
    status_of,
    totals,
)
from sodium_phone import Phone, text

DAY_SECONDS = 86400
TEST = {**REALM, "type": "test", "time": 1740000000}
MAY_PUSH = {"can_push": True, "expected_end_timestamp": None}


class Life(SelfHostedServer):
    """One server, from its registration to its end."""

    def __init__(self, url, ca_file, certificate_file, key_file, public_key):
        super().__init__(url, ca_file, certificate_file, key_file)
        self.public_key = public_key
        self.iphone = Phone("apns", "5eed" * 16)
        self.android = Phone("fcm", "fcm-sealed:APA91b_-y")

    def live(self):
        for step in (
            self.registers,
            self.uploads,
            self.registers_devices,
            self.notifies,
            self.tests,
            self.rotates_its_key,
            self.registers_encrypting_phones,
            self.is_told_what_phones_did_wrong,
            self.notifies_encrypted,
            self.takes_down_and_tests_encrypted,
            self.hears_of_a_phone_that_is_gone,
            self.is_transferred,
            self.is_transferred_only_with_a_secret,
            self.goes_on_after_the_transfer,
            self.is_deactivated,
            self.leaves_its_name_to_another,
        ):
            step()
            say(step.__name__.replace("_", " "))

    def registers(self):
        assert self.register_server(self.host.hostname) is True
        assert self.register_server(self.host.hostname) is False

    def uploads(self):
        """The status first; then the rows behind it, and none twice."""
        assert self.status() == status_of(0, 0, 0)
        assert self.upload() == {REALM_UUID: MAY_PUSH}
        assert self.status() == status_of(3, 3, 1)
        assert self.upload() == {REALM_UUID: MAY_PUSH}
        assert self.status() == status_of(3, 3, 1)

    def registers_devices(self):
        for device, more in ((IPHONE, {"ios_app_id": "org.zulip.Zulip"}), (ANDROID, {})):
            answer = self.send("POST", "push/register", self.form(device) | more)
            assert answer["ignored_parameters_unsupported"] == ["server_uuid"], answer

    def notifies(self):
        answer = self.notify_devices()
        assert answer["realm"] == MAY_PUSH, answer
        apple, google = pushes(2)
        assert apple["token"] == IPHONE["token"], apple
        assert apple["body"]["aps"]["alert"]["body"] == "h\u00e9llo \U0001f600", apple
        assert apple["body"]["zulip"]["message_ids"] == [42], apple
        assert google["token"] == ANDROID["token"], google
        assert google["body"]["message"]["data"]["content"] == "h\u00e9llo \U0001f600", google

    def tests(self):
        for device in (IPHONE, ANDROID):
            self.send_json("push/test_notification", self.test_of(device))
            [push] = pushes(1)
            assert push["token"] == device["token"], push
        unknown = refusal(
            self.send_json,
            "push/test_notification",
            self.test_of({"token": "fcm-nobody", "token_kind": 2}),
        )
        assert isinstance(unknown, InvalidRemotePushDeviceTokenError), unknown

    def rotates_its_key(self):
        """`--rotate-key`: it still uploads with the old key before it writes the new one down."""
        old, new = self.org_key, new_key()
        assert self.register_server(self.host.hostname, new_org_key=new) is False
        assert self.upload() == {REALM_UUID: MAY_PUSH}
        self.org_key = new
        assert self.upload() == {REALM_UUID: MAY_PUSH}
        self.is_refused_with(old)

    def registers_encrypting_phones(self):
        for phone in (self.iphone, self.android):
            form = phone.registration(self.public_key)
            for _ in range(2):
                self.register_encrypting(form)

    def is_told_what_phones_did_wrong(self):
        phone = Phone("fcm", "fcm-clumsy:APA91b_-z")
        other_bouncer = text(secrets.token_bytes(32))
        expired = phone.registration(self.public_key, age_seconds=DAY_SECONDS + 60)
        good = phone.registration(self.public_key)
        for form, error, code in (
            (
                phone.registration(other_bouncer),
                InvalidBouncerPublicKeyError,
                "INVALID_BOUNCER_PUBLIC_KEY",
            ),
            (expired, RequestExpiredRemoteServerError, "REQUEST_EXPIRED"),
            (
                good | {"realm_uuid": str(uuid.uuid4())},
                MissingRemoteRealmError,
                "MISSING_REMOTE_REALM",
            ),
            (good | {"token_id": self.android.token_id}, JsonableError, "BAD_REQUEST"),
            (
                good | {"encrypted_push_registration": text(secrets.token_bytes(150))},
                JsonableError,
                "BAD_REQUEST",
            ),
        ):
            refused = refusal(self.register_encrypting, form)
            assert (type(refused), refused.code) == (error, code), (refused, refused.code)
        answer = self.notify_phones(TEST, phone)
        assert answer["delete_token_ids"] == [phone.token_id], answer
        assert pushes(0) == []

    def notifies_encrypted(self):
        """Nothing in between reads it, and the phones do."""
        message = {
            **REALM,
            "type": "message",
            "message_id": 42,
            "content": "h\u00e9llo \U0001f600",
            "time": 1740000000,
            "sender_id": 8,
            "sender_full_name": "Cordelia",
            "sender_avatar_url": REALM["realm_url"] + "/avatar/8",
            "recipient_type": "channel",
            "channel_id": 3,
            "channel_name": "Denmark",
            "topic": "design",
        }
        answer = self.notify_phones(message, self.iphone, self.android)
        assert sent(answer) == (1, 1, []), answer
        assert answer["realm_push_status"] == MAY_PUSH, answer
        self.phones_read(message, "10", "alert", "high")

    def takes_down_and_tests_encrypted(self):
        removal = {**REALM, "type": "remove", "message_ids": [42]}
        assert sent(self.notify_phones(removal, self.iphone, self.android)) == (1, 1, [])
        self.phones_read(removal, "5", "background", "normal")
        assert sent(self.notify_phones(TEST, self.iphone, self.android)) == (1, 1, [])
        self.phones_read(TEST, "10", "alert", "high")

    def hears_of_a_phone_that_is_gone(self):
        gone = Phone("fcm", "fcm-dead:APA91b_-w")
        self.register_encrypting(gone.registration(self.public_key))
        for count in (1, 0):
            answer = self.notify_phones(TEST, gone)
            assert sent(answer) == (0, 0, [gone.token_id]), answer
            pushes(count)

    def is_transferred(self):
        """`--registration-transfer`: a new installation under the old name."""
        old = self.org_key
        answer = self.transfer()
        access_token = self.host.prepare(answer["verification_secret"])
        self.host.requests.clear()
        answer = self.verify(access_token)
        assert self.host.requests == [f"GET {PATH}{access_token}/"], self.host.requests
        assert answer["zulip_org_id"] == self.org_id, answer
        assert len(answer["zulip_org_key"]) == len(old), answer
        assert answer["zulip_org_key"] != old
        self.org_key = answer["zulip_org_key"]
        self.is_refused_with(old)
        assert self.register_server(self.host.hostname) is False
        assert self.upload() == {REALM_UUID: MAY_PUSH}

    def is_transferred_only_with_a_secret(self):
        key = self.org_key
        used_up = self.host.prepared[0]
        self.refuses("server/register/verify_challenge", self.challenge(used_up), None)
        self.refuses(
            "server/register/verify_challenge",
            self.challenge("nothing-prepared"),
            "The host reported it has no verification secret.",
        )
        forged = self.host.prepare("00" * 40)
        self.refuses("server/register/verify_challenge", self.challenge(forged), None)
        nobody = {"hostname": "nobody.selfhosted.test"}
        self.refuses(
            "server/register/transfer", nobody, "nobody.selfhosted.test not yet registered"
        )
        assert self.org_key == key
        self.status()

    def goes_on_after_the_transfer(self):
        """Its devices came with it."""
        assert totals(self.notify_devices(message_id=43)) == (1, 1)
        pushes(2)
        assert sent(self.notify_phones(TEST, self.iphone, self.android)) == (1, 1, [])
        self.phones_read(TEST, "10", "alert", "high")

    def is_deactivated(self):
        self.send_json("server/deactivate", {})
        for call in (
            self.status,
            self.upload_everything,
            self.notify_devices,
            lambda: self.send("POST", "push/register", self.form(ANDROID)),
            lambda: self.send("POST", "push/unregister", self.form(ANDROID)),
            lambda: self.send_json("push/test_notification", self.test_of(ANDROID)),
            lambda: self.register_encrypting(self.android.registration(self.public_key)),
            lambda: self.notify_phones(TEST, self.android),
            lambda: self.send_json("server/deactivate", {}),
        ):
            refused = refusal(call)
            assert (type(refused), refused.status) == (JsonableError, 401), refused
            assert "has been deactivated" in str(refused), refused
        form = self.registration_form(self.host.hostname)
        response = self.post_openly("server/register", form)
        assert response.status_code == 401, response.text
        assert response.json()["code"] == "REALM_DEACTIVATED", response.text
        assert "WWW-Authenticate" not in response.headers
        assert pushes(0) == []

    def leaves_its_name_to_another(self):
        named = {"hostname": self.host.hostname}
        self.refuses("server/register/transfer", named, f"{self.host.hostname} not yet registered")
        other = BouncerClient(self.url, self.ca_file, str(uuid.uuid4()), new_key())
        assert other.register_server(self.host.hostname) is True

    def phones_read(self, plaintext, apns_priority, apns_push_type, fcm_priority):
        """Each phone got this, and nobody on the way could read it."""
        apple, google = pushes(2)
        assert apple["token"] == self.iphone.token, apple
        assert apple["headers"]["apns-topic"] == "org.zulip.Zulip", apple
        assert apple["headers"]["apns-priority"] == apns_priority, apple
        assert apple["headers"]["apns-push-type"] == apns_push_type, apple
        assert set(apple["body"]) == {"push_key_id", "encrypted_data", "aps"}, apple
        assert apple["body"]["aps"]["alert"] == {"title": "New notification"}, apple
        assert self.iphone.read(apple["body"]) == plaintext
        message = google["body"]["message"]
        assert google["token"] == self.android.token, google
        assert message["android"]["priority"].lower() == fcm_priority, google
        assert set(message["data"]) == {"push_key_id", "encrypted_data"}, google
        assert self.android.read(message["data"]) == plaintext


def sent(answer):
    return (
        answer["apple_successfully_sent_count"],
        answer["android_successfully_sent_count"],
        answer["delete_token_ids"],
    )


def pushes(count):
    """What reached Apple and Google since it was last asked, Apple's first: so many."""
    say(f"pushes? {count}")
    found = json.loads(sys.stdin.readline())
    assert len(found) == count, found
    return found


def say(line):
    print(line, flush=True)


if __name__ == "__main__":
    Life(*sys.argv[1:]).live()
