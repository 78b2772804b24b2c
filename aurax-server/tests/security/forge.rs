//! What a forger can do: sign anything, with any key, by any algorithm.

use aurax_server::auth::SigningKeys;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RsaEncoding,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The header or the claims of a token.
pub(crate) fn part(token: &str, which: usize) -> Value {
    let part = token.split('.').nth(which).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// An RSA key of which the server has the other half, or has not.
pub(crate) struct Rsa {
    pub(crate) keys: SigningKeys,
    pair: KeyPair,
    der: Vec<u8>,
}

impl Rsa {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("aurax_{}", aurax::new_id().simple()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("signing.pem");
        let keys = SigningKeys::open(&path).unwrap();
        let pem = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let pair = KeyPair::from_pkcs8(&der).unwrap();
        Self { keys, pair, der }
    }

    /// Some of the secret part: the numbers after the public ones.
    pub(crate) fn secret(&self) -> &[u8] {
        let half = self.der.len() / 2;
        &self.der[half..half + 48]
    }

    pub(crate) fn id(&self) -> String {
        self.keys.id().to_owned()
    }

    /// The public key as it is published.
    pub(crate) fn jwk(&self) -> Value {
        serde_json::to_value(&self.keys.public().keys[0]).unwrap()
    }

    /// The public key in every form that a forger may have it in.
    pub(crate) fn public_forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let public = self.pair.public_key();
        let pkcs1 = public.as_ref().to_vec();
        let spki: PublicKeyX509Der<'_> = public.as_der().unwrap();
        let spki = spki.as_ref().to_vec();
        let pem = |kind: &str, der: &[u8]| {
            let body = STANDARD.encode(der);
            let lines: Vec<&str> = (0..body.len())
                .step_by(64)
                .map(|at| &body[at..(at + 64).min(body.len())])
                .collect();
            let lines = lines.join("\n");
            format!("-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n").into_bytes()
        };
        let jwk = self.jwk();
        let modulus = jwk["n"].as_str().unwrap();
        vec![
            ("its PEM", pem("PUBLIC KEY", &spki)),
            ("its PEM of PKCS #1", pem("RSA PUBLIC KEY", &pkcs1)),
            ("its DER", spki),
            ("its DER of PKCS #1", pkcs1),
            ("its modulus", URL_SAFE_NO_PAD.decode(modulus).unwrap()),
            ("its modulus in base64", modulus.as_bytes().to_vec()),
            ("its JWK", jwk.to_string().into_bytes()),
            ("its id", self.id().into_bytes()),
        ]
    }

    fn raw(&self, padding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair
            .sign(padding, &random, message, &mut signature)
            .unwrap();
        signature
    }

    /// Header and claims, signed by what the header calls the algorithm; RS256 for any other.
    pub(crate) fn sign(&self, header: &Value, claims: &str) -> String {
        self.sign_text(&header.to_string(), claims)
    }

    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let read: Value = serde_json::from_str(header).unwrap_or_default();
        let padding: &'static dyn RsaEncoding = match read["alg"].as_str() {
            Some("RS384") => &RSA_PKCS1_SHA384,
            Some("RS512") => &RSA_PKCS1_SHA512,
            Some("PS256") => &RSA_PSS_SHA256,
            Some("PS384") => &RSA_PSS_SHA384,
            _ => &RSA_PKCS1_SHA256,
        };
        with(header, claims, |message| self.raw(padding, message))
    }
}

fn with(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = base64(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Signed by a secret.
pub(crate) fn with_secret(header: &Value, claims: &str, secret: &[u8]) -> String {
    let hash = match header["alg"].as_str() {
        Some("HS384") => hmac::HMAC_SHA384,
        Some("HS512") => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let key = hmac::Key::new(hash, secret);
    with(&header.to_string(), claims, |message| {
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

/// Not signed at all.
pub(crate) fn unsigned(header: &Value, claims: &str) -> String {
    with(&header.to_string(), claims, |_| Vec::new())
}

/// A key on the curve P-256.
pub(crate) struct Curve(EcdsaKeyPair);

impl Curve {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// The public key as an issuer publishes it.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        // An uncompressed point: 4, then both coordinates.
        let point = self.0.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id,
            "x": base64(&point[1..33]), "y": base64(&point[33..]),
        })
    }

    pub(crate) fn sign(&self, header: &Value, claims: &str) -> String {
        with(&header.to_string(), claims, |message| {
            let signature = self.0.sign(&SystemRandom::new(), message).unwrap();
            signature.as_ref().to_vec()
        })
    }
}

/// Signed by a key of Ed25519 that nobody knows.
pub(crate) fn with_edwards(header: &Value, claims: &str) -> String {
    let mut seed = [0; 32];
    rand::fill(&mut seed).unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    with(&header.to_string(), claims, |message| {
        pair.sign(message).as_ref().to_vec()
    })
}
