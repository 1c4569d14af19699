//! What the servers share: an [`Auth`] with one signed-in user, and the key of a hand-written guard.

use std::error::Error;

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use portcullis::{Auth, Config};
use portcullis_sql::SqlStore;
use portcullis_token::{Algorithm, SigningKey};
use serde::{Deserialize, Serialize};

/// An [`Auth`] and the header field that a signed-in client sends.
pub async fn ours(guard: &str) -> Result<(Auth, String), Box<dyn Error>> {
    let mut config = Config::new("the secret of a benchmark, long enough");
    if guard == "ours-uncached" {
        config.access.cache_bytes = 0;
    }
    let auth = Auth::new(config, SqlStore::connect("sqlite::memory:").await?).await?;
    let register = http::Request::post("/register").header("content-type", "application/json");
    let body = r#"{"email":"ada@example.org","password":"correct horse battery"}"#;
    let answer = auth.handle(register.body(body.into())?, None).await;
    let answer: serde_json::Value = serde_json::from_slice(answer.body())?;
    let token = answer["data"]["accessToken"].as_str().ok_or("no token")?;
    Ok((auth, format!("authorization: Bearer {token}\r\n")))
}

/// Says where the server listens and what a client sends.
pub fn announce(address: impl std::fmt::Display, credential: &str) {
    println!("listening on {address}\n{}", credential.trim_end());
}

/// A guard as services write it: a prepared key, `Validation`, claims of their own.
pub struct HandWritten {
    key: DecodingKey,
    validation: Validation,
}

/// What it reads.
#[derive(Serialize, Deserialize)]
pub struct Claims {
    pub sub: String,
    iss: String,
    aud: String,
    exp: u64,
    iat: u64,
    jti: String,
    sid: String,
    roles: Vec<String>,
}

impl HandWritten {
    /// For that algorithm, and the header field of a client that it lets in.
    pub fn new(algorithm: &str) -> Result<(Self, String), Box<dyn Error>> {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let ours = Algorithm::from_name(algorithm).ok_or("no such algorithm")?;
        let algorithm: jsonwebtoken::Algorithm = algorithm.parse()?;
        let key = SigningKey::generate(ours, Some("k"), &[7; 64])?;
        let jwk: serde_json::Value = serde_json::from_str(&key.to_jwk())?;
        let decoding = match ours {
            Algorithm::Hs256 => DecodingKey::from_secret(&[7; 32]),
            _ => DecodingKey::from_jwk(&serde_json::from_value(jwk)?)?,
        };
        let claims = Claims {
            sub: "018f6b1e-7c3a-7d52-9a41-5b1f0c2d3e4f".into(),
            iss: "portcullis".into(),
            aud: "portcullis".into(),
            exp: 4_102_444_800,
            iat: 1_750_000_000,
            jti: "6MYI0VYq3mWTzRjX4c8Nvg".into(),
            sid: "018f6b1e-7c3a-7d52-9a41-5b1f0c2d3e50".into(),
            roles: vec!["admin".into(), "editor".into()],
        };
        let token = match ours {
            Algorithm::Hs256 => {
                jsonwebtoken::encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(&[7; 32]))?
            }
            _ => signed(&key, algorithm, &claims)?,
        };
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["portcullis"]);
        validation.set_issuer(&["portcullis"]);
        Ok((Self { key: decoding, validation }, format!("authorization: Bearer {token}\r\n")))
    }

    /// What the token of that header field says.
    pub fn check(&self, authorization: Option<&str>) -> Option<Claims> {
        let token = authorization?.strip_prefix("Bearer ")?;
        Some(jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).ok()?.claims)
    }
}

fn signed(
    key: &SigningKey,
    algorithm: jsonwebtoken::Algorithm,
    claims: &Claims,
) -> Result<String, Box<dyn Error>> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
    let header = serde_json::to_vec(&Header::new(algorithm))?;
    let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(serde_json::to_vec(claims)?));
    let signature = key.signature(message.as_bytes())?;
    Ok(format!("{message}.{}", BASE64URL.encode(signature)))
}
