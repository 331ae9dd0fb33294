"""A self-hosted server with one organization and one user, and what it asks of a bouncer."""

import json
import secrets
import string
import uuid

from bouncer_client import BouncerClient, JsonableError, assert_push_status, refusal
from challenge_host import ChallengeHost

VERSION = "12.0"
FEATURE_LEVEL = 468
CREATED_AT = 1700000000.5
USER = {"user_id": 7, "user_uuid": "77777777-7777-4777-8777-777777777777"}
REALM_UUID = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa7"
REALM = {"realm_url": "https://chat.selfhosted.test", "realm_name": "Chat", "user_id": 7}
BASE = {**REALM, "realm_uri": REALM["realm_url"], "server": "chat.selfhosted.test", "realm_id": 2}

IPHONE = {"token": "c0ffeec0ffeec0ff", "token_kind": 1}
ANDROID = {"token": "fcm-life:APA91b_-x", "token_kind": 2}

USER_CREATED = 101
ROLES = {"100": 1, "200": 0, "300": 0, "400": 5, "600": 1}


class SelfHostedServer(BouncerClient):
    """A server with new credentials, and an HTTPS host of its own."""

    def __init__(self, url, ca_file, certificate_file, key_file):
        super().__init__(url, ca_file, str(uuid.uuid4()), new_key())
        self.host = ChallengeHost(certificate_file, key_file)
        self.counts = rows(3, property="active_users_audit:is_bot:day", value=7)
        self.audit_rows = [
            {
                "id": 1,
                "realm": 2,
                "event_time": CREATED_AT,
                "backfilled": False,
                "extra_data": {"10": {"11": ROLES, "12": 3}},
                "event_type": USER_CREATED,
            }
        ]

    def status(self):
        answer = self.send("GET", "server/analytics/status", {})
        return {key: answer[key] for key in answer if key.startswith("last_")}

    def upload(self):
        """As at every full hour: what the bouncer does not have yet, and how the realms are."""
        status = self.status()
        return self.upload_everything(
            realms_after=status["last_realm_count_id"],
            installation_after=status["last_installation_count_id"],
            audit_after=status["last_realmauditlog_id"],
        )

    def upload_everything(self, realms_after=0, installation_after=0, audit_after=0):
        realm_counts = [{**row, "realm": 2} for row in self.counts]
        realm = {
            "id": 2,
            "uuid": REALM_UUID,
            "uuid_owner_secret": "zuliprealm_" + "s" * 20,
            "host": self.host.hostname,
            "url": f"https://{self.host.hostname}",
            "name": "Chat",
            "org_type": 10,
            "date_created": CREATED_AT,
            "deactivated": False,
            "authentication_methods": {"Email": True},
            "is_system_bot_realm": False,
        }
        request = {
            "realm_counts": after(realms_after, realm_counts),
            "installation_counts": after(installation_after, self.counts),
            "realmauditlog_rows": after(audit_after, self.audit_rows),
            "realms": [realm],
            "version": VERSION,
            "merge_base": VERSION,
            "api_feature_level": FEATURE_LEVEL,
        }
        form = {key: json.dumps(value) for key, value in request.items()}
        answer = self.send("POST", "server/analytics", form)
        for realm_status in answer["realms"].values():
            assert_push_status(realm_status)
        return answer["realms"]

    def form(self, device):
        """The form of register and unregister."""
        return {"server_uuid": self.org_id, **USER, "realm_uuid": REALM_UUID, **device}

    def notify_devices(self, message_id=42):
        about = {**BASE, "sender_id": 8, "sender_email": "cordelia@selfhosted.test"}
        answer = self.notify(
            {
                **USER,
                "realm_uuid": REALM_UUID,
                "apns_payload": {
                    "alert": {"title": "Cordelia", "subtitle": "", "body": "h\u00e9llo \U0001f600"},
                    "sound": "default",
                    "badge": 0,
                    "custom": {"zulip": {**about, "message_ids": [message_id]}},
                },
                "gcm_payload": {
                    **about,
                    "event": "message",
                    "zulip_message_id": message_id,
                    "content": "h\u00e9llo \U0001f600",
                    "sender_full_name": "Cordelia",
                },
                "gcm_options": {"priority": "high"},
                "android_devices": [ANDROID["token"]],
                "apple_devices": [IPHONE["token"]],
            }
        )
        assert totals(answer) == (1, 1), answer
        deleted = answer["deleted_devices"]
        assert deleted == {"android_devices": [], "apple_devices": []}, answer
        return answer

    def test_of(self, device):
        return {**USER, "realm_uuid": REALM_UUID, **device, "base_payload": BASE}

    def register_encrypting(self, form):
        self.send("POST", "push/e2ee/register", {"realm_uuid": REALM_UUID, **form})

    def notify_phones(self, plaintext, *phones):
        requests = [phone.push_request(plaintext) for phone in phones]
        return self.notify_encrypted({"realm_uuid": REALM_UUID, "push_requests": requests})

    def transfer(self):
        response = self.post_openly("server/register/transfer", {"hostname": self.host.hostname})
        response.raise_for_status()
        return response.json()

    def challenge(self, access_token):
        return {"hostname": self.host.hostname, "access_token": access_token}

    def verify(self, access_token):
        response = self.post_openly(
            "server/register/verify_challenge", self.challenge(access_token)
        )
        assert response.status_code == 200, response.text
        return response.json()

    def refuses(self, endpoint, form, message):
        """400 with this text; with any if there is none given."""
        response = self.post_openly(endpoint, form)
        assert response.status_code == 400, response.text
        assert response.json()["code"] == "BAD_REQUEST", response.text
        assert message is None or response.json()["msg"] == message, response.text

    def is_refused_with(self, key):
        refused = refusal(self.send, "GET", "server/analytics/status", {}, key=key)
        assert (type(refused), refused.status) == (JsonableError, 401), refused


def rows(count, **columns):
    """Rows of statistics with numbers from 1 on."""
    return [
        {"id": number, "end_time": CREATED_AT + number, "subgroup": "false", **columns}
        for number in range(1, count + 1)
    ]


def after(last, table):
    return [row for row in table if row["id"] > last]


def status_of(realm_counts, installation_counts, audit_rows):
    return {
        "last_realm_count_id": realm_counts,
        "last_installation_count_id": installation_counts,
        "last_realmauditlog_id": audit_rows,
    }


def totals(answer):
    return answer["total_android_devices"], answer["total_apple_devices"]


def new_key():
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(64))
