"""PyJWT, https://github.com/jpadilla/pyjwt, as a peer; its keys are those of `cryptography`."""

import base64
import functools
import secrets

import jwt
from jwt.algorithms import get_default_algorithms

import lines
from verify_pyjwt import published, verify

key_sets = functools.cache(published)


def verify_token(token, jwks=None, settings=None, secret=None, **expected):
    keys = imported(secret, expected["algorithm"]) if secret else key_sets(jwks, **(settings or {}))
    return {"claims": verify(token, keys, **expected)}


def sign(claims, header, jwk=None, pem=None):
    key = pem or imported(jwk, header["alg"])
    headers = {"typ": None, **header}
    return {"token": jwt.encode(claims, key, header["alg"], headers)}


def key(algorithm):
    if algorithm.startswith("HS"):
        k = base64.urlsafe_b64encode(secrets.token_bytes(64)).rstrip(b"=").decode()
        return {"jwk": {"kty": "oct", "k": k}}
    private = lines.generated(algorithm)
    to_jwk = get_default_algorithms()[algorithm].to_jwk
    return {
        "jwk": to_jwk(private, as_dict=True),
        "public": to_jwk(private.public_key(), as_dict=True),
        **lines.pems(private),
    }


def imported(jwk, algorithm):
    return jwt.PyJWK(jwk, algorithm).key


lines.answer({"verify": verify_token, "sign": sign, "key": key}, jwt.PyJWTError)
