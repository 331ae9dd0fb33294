"""Opens what the sandbox's phone sealed, and makes the same for it, with libsodium:
python3 libsodium.py PUBLIC_KEY PRIVATE_KEY SEALED PUSH_KEY ENCRYPTED, all in base64.

Prints one JSON line.
"""

import base64
import json
import sys

from nacl.public import PrivateKey, SealedBox

from sodium_phone import decrypt, encrypt, seal


def main():
    public_key, private_key, sealed, push_key, encrypted = sys.argv[1:]
    push_key = base64.b64decode(push_key)
    box = SealedBox(PrivateKey(base64.b64decode(private_key)))
    opened = json.loads(box.decrypt(base64.b64decode(sealed)))
    decrypted = decrypt(encrypted, push_key)
    print(
        json.dumps(
            {
                "opened": opened,
                "sealed": seal(opened, public_key),
                "decrypted": decrypted,
                "encrypted": encrypt(decrypted, push_key),
            }
        )
    )


if __name__ == "__main__":
    main()
