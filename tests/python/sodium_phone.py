"""A phone whose app encrypts with libsodium, and the half of it that its chat server has."""

import base64
import hashlib
import json
import secrets
import time

from nacl.public import PublicKey, SealedBox
from nacl.secret import SecretBox

PUSH_KEY_TYPE = b"1"
APP_ID = "org.zulip.Zulip"


class Phone:
    """One account in an app; `kind` is `apns` or `fcm`."""

    def __init__(self, kind, token):
        self.kind = kind
        self.token = token
        self.push_key_id = secrets.randbelow(2**32)
        self.push_key = PUSH_KEY_TYPE + secrets.token_bytes(SecretBox.KEY_SIZE)

    @property
    def token_id(self):
        """What stands for the token at the chat server."""
        return text(hashlib.sha256(self.token.encode()).digest()[:8])

    def registration(self, bouncer_public_key, age_seconds=0):
        """The form that the chat server sends on, without its realm."""
        plaintext = {
            "token": self.token,
            "token_kind": self.kind,
            "timestamp": int(time.time()) - age_seconds,
        }
        if self.kind == "apns":
            plaintext["ios_app_id"] = APP_ID
        return {
            "token_id": self.token_id,
            "encrypted_push_registration": seal(plaintext, bouncer_public_key),
            "bouncer_public_key": bouncer_public_key,
        }

    def push_request(self, plaintext):
        """What the chat server sends to say this to the phone."""
        quiet = plaintext["type"] == "remove"
        payload = {
            "push_key_id": self.push_key_id,
            "encrypted_data": encrypt(plaintext, self.push_key),
        }
        if self.kind == "fcm":
            priority = "normal" if quiet else "high"
            return {"token_id": self.token_id, "fcm_priority": priority, "payload": payload}
        headers = {
            "apns_priority": 5 if quiet else 10,
            "apns_push_type": "background" if quiet else "alert",
        }
        payload["aps"] = {"mutable-content": 1, "alert": {"title": "New notification"}}
        return {"token_id": self.token_id, "http_headers": headers, "payload": payload}

    def read(self, payload):
        """What a push says, as Apple or Google delivered it."""
        assert int(payload["push_key_id"]) == self.push_key_id, "encrypted for another account"
        return decrypt(payload["encrypted_data"], self.push_key)


def seal(plaintext, public_key):
    """A sealed box, both it and the key as base64."""
    box = SealedBox(PublicKey(base64.b64decode(public_key)))
    return text(box.encrypt(json.dumps(plaintext).encode()))


def encrypt(plaintext, push_key):
    """What travels as `encrypted_data`; the push key as bytes, its type before it."""
    return text(secret_box(push_key).encrypt(json.dumps(plaintext).encode()))


def decrypt(encrypted_data, push_key):
    """The other way."""
    return json.loads(secret_box(push_key).decrypt(base64.b64decode(encrypted_data, validate=True)))


def secret_box(push_key):
    assert push_key[:1] == PUSH_KEY_TYPE
    return SecretBox(push_key[1:])


def text(data):
    return base64.b64encode(data).decode()
