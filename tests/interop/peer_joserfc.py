"""joserfc, https://github.com/authlib/joserfc, as a peer."""

import functools
import warnings

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, OctKey

import lines
from verify_joserfc import published, verify

# RFC 9864 has another name for EdDSA.
warnings.simplefilter("ignore", SecurityWarning)

key_sets = functools.cache(published)


def verify_token(token, jwks=None, secret=None, **expected):
    keys = JWKRegistry.import_key(secret) if secret else key_sets(jwks)
    return {"claims": verify(token, keys, **expected)}


def sign(claims, header, jwk=None, pem=None):
    key = JWKRegistry.import_key(pem, kind(header["alg"])) if pem else JWKRegistry.import_key(jwk)
    return {"token": jwt.encode(header, claims, key, algorithms=[header["alg"]], default_type=None)}


def key(algorithm):
    if algorithm.startswith("HS"):
        return {"jwk": OctKey.generate_key(512).as_dict(private=True)}
    forms = lines.pems(lines.generated(algorithm))
    private = JWKRegistry.import_key(forms["pems"][0], kind(algorithm))
    return {
        "jwk": private.as_dict(private=True),
        "public": private.as_dict(private=False),
        "thumbprint": private.thumbprint(),
        **forms,
    }


def kind(algorithm):
    return {"Ed": "OKP", "ES": "EC", "RS": "RSA", "PS": "RSA", "HS": "oct"}[algorithm[:2]]


def thumbprint(jwk):
    return {"thumbprint": JWKRegistry.import_key(jwk).thumbprint()}


lines.answer(
    {"verify": verify_token, "sign": sign, "key": key, "thumbprint": thumbprint},
    JoseError,
)
