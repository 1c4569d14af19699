"""Questions come as lines of JSON, and so do the answers."""

import json
import sys
import traceback


def answer(verbs, refusals):
    """Answers each question by the verb in its `do`. A token that the library refuses is an answer; anything else that
    goes wrong is a fault, so that a broken script never looks like a refusal."""
    for line in sys.stdin:
        question = json.loads(line)
        try:
            reply = verbs[question.pop("do")](**question)
        except refusals as error:
            reply = {"refused": f"{type(error).__name__}: {error}"}
        except Exception:
            reply = {"fault": traceback.format_exc()}
        print(json.dumps(reply), flush=True)


def generated(algorithm):
    """A private key of `cryptography`, by which both libraries sign."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match algorithm:
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "RS256" | "PS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pems(key):
    """A private key in each of its forms, and its public half."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    forms = [PrivateFormat.PKCS8]
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        forms.append(PrivateFormat.TraditionalOpenSSL)
    private = [key.private_bytes(Encoding.PEM, form, NoEncryption()).decode() for form in forms]
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {"pems": private, "publicPem": public.decode()}
