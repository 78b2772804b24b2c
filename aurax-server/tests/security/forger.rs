//! What a forger sends: everything that looks like a token or key, and is none.

use aurax::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::forge::{self, Curve, Rsa, base64};

/// What a forger sends: a family, what it is, and the headers.
pub(crate) struct Forged {
    pub(crate) family: &'static str,
    pub(crate) what: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Everything a forger tries, over one account of hers and one of somebody else.
pub(crate) struct Forger<'a> {
    pub(crate) own: &'a Rsa,
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) others: Value,
    pub(crate) tried: Vec<Forged>,
}

impl Forger<'_> {
    fn token(&mut self, family: &'static str, what: impl Into<String>, token: impl AsRef<str>) {
        let value = format!("Bearer {}", token.as_ref());
        self.headers(family, what, [("authorization", value)]);
    }

    fn headers(
        &mut self,
        family: &'static str,
        what: impl Into<String>,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) {
        self.tried.push(Forged {
            family,
            what: what.into(),
            headers: headers.into_iter().collect(),
        });
    }

    /// The genuine header with a change.
    fn header(&self, change: &Value) -> Value {
        changed(&self.header, change)
    }

    /// Genuinely signed, with another header.
    fn signed_header(&mut self, family: &'static str, change: &Value) {
        let token = self
            .own
            .sign(&self.header(change), &self.claims.to_string());
        self.token(family, change.to_string(), token);
    }

    /// Genuinely signed, with other claims.
    fn signed_claims(&mut self, family: &'static str, change: &Value) {
        let claims = changed(&self.claims, change).to_string();
        let token = self.own.sign(&self.header, &claims);
        self.token(family, change.to_string(), token);
    }

    fn signed_text(&mut self, family: &'static str, claims: &str) {
        let token = self.own.sign(&self.header, claims);
        self.token(family, claims, token);
    }

    pub(crate) fn algorithms(&mut self) {
        let claims = self.claims.to_string();
        for name in ["none", "None", "NONE", "nOnE", ""] {
            let header = self.header(&json!({"alg": name}));
            self.token("algorithm none", name, forge::unsigned(&header, &claims));
            let signed = self.own.sign(&header, &claims);
            self.token("algorithm none", format!("{name}, signed"), signed);
        }
        for name in ["HS256", "HS384", "HS512"] {
            for (what, secret) in self.own.public_forms() {
                let header = self.header(&json!({"alg": name}));
                let token = forge::with_secret(&header, &claims, &secret);
                self.token("public key as secret", format!("{name} with {what}"), token);
            }
        }
        let empty = forge::with_secret(&self.header(&json!({"alg": "HS256"})), &claims, b"");
        self.token("public key as secret", "an empty secret", empty);
        for name in ["RS384", "RS512", "PS256", "PS384"] {
            self.signed_header("another algorithm", &json!({"alg": name}));
        }
        for name in ["rs256", "RS256 ", "RS1", "RSA"] {
            self.signed_header("another algorithm", &json!({"alg": name}));
        }
        for value in [
            json!(null),
            json!(["RS256"]),
            json!({"name": "RS256"}),
            json!(256),
        ] {
            self.signed_header("another algorithm", &json!({"alg": value}));
        }
        let header = self.header(&json!({"alg": "ES256"}));
        let token = Curve::new().sign(&header, &claims);
        self.token("another algorithm", "ES256", token);
        let header = self.header(&json!({"alg": "EdDSA"}));
        let token = forge::with_edwards(&header, &claims);
        self.token("another algorithm", "EdDSA", token);
    }

    pub(crate) fn keys(&mut self) {
        let (other, claims) = (Rsa::new(), self.claims.to_string());
        let token = other.sign(&self.header, &claims);
        self.token("another key", "by the id of the server's", token);
        let own = self.header(&json!({"kid": other.id()}));
        self.token("another key", "by its own id", other.sign(&own, &claims));
        let embedded = self.header(&json!({"jwk": other.jwk()}));
        self.token("key in the header", "jwk", other.sign(&embedded, &claims));
        let both = self.header(&json!({"jwk": other.jwk(), "kid": other.id()}));
        self.token(
            "key in the header",
            "jwk, by its id",
            other.sign(&both, &claims),
        );
        for (name, value) in [
            ("jku", json!("https://evil.example/jwks.json")),
            ("x5u", json!("https://evil.example/chain.pem")),
            ("x5c", json!(["MIIB"])),
            ("jwk", self.own.jwk()),
        ] {
            self.signed_header("key in the header", &json!({name: value}));
        }
        let genuine = self.own.id();
        for kid in [
            json!("../../../../dev/null"),
            json!("/dev/null"),
            json!("' UNION SELECT 'x"),
            json!("nobody"),
            json!(""),
            json!(format!("{genuine}\0")),
            json!(format!("{genuine}/../{genuine}")),
            json!(genuine.to_uppercase()),
            json!([genuine]),
            json!({"kid": genuine}),
            json!(0),
            json!(null),
        ] {
            self.signed_header("id of the key", &json!({"kid": kid}));
        }
    }

    pub(crate) fn headers_of_tokens(&mut self) {
        for change in [
            json!({"crit": ["exp"], "exp": 1}),
            json!({"crit": []}),
            json!({"crit": ["b64"], "b64": false}),
            json!({"b64": false}),
            json!({"zip": "DEF"}),
            json!({"enc": "A256GCM"}),
            json!({"admin": true}),
        ] {
            self.signed_header("header", &change);
        }
        for kind in [
            json!("JWT"),
            json!("invite+jwt"),
            json!("application/at+jwt"),
            json!(""),
            json!(null),
            json!(["at+jwt"]),
        ] {
            self.signed_header("type", &json!({"typ": kind}));
        }
        let (kid, claims) = (self.own.id(), self.claims.to_string());
        for header in [
            format!(r#"{{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"RS256","typ":"JWT","typ":"at+jwt","kid":"{kid}"}}"#),
            "[]".to_owned(),
            "null".to_owned(),
            "{".to_owned(),
            String::new(),
        ] {
            let token = self.own.sign_text(&header, &claims);
            self.token("header", header, token);
        }
    }

    pub(crate) fn times(&mut self) {
        let now = SystemClock.now().unix_timestamp();
        let hour = now + 3_600;
        for exp in [
            json!((now + 600).to_string()),
            serde_json::from_str(&format!("{}.5", now + 600)).unwrap(),
            json!(null),
            json!(true),
            json!([now + 600]),
            json!(now),
            json!(now - 1),
            json!(-1),
            json!(0),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e300),
            json!(hour),
        ] {
            self.signed_claims("end", &json!({"exp": exp}));
        }
        for change in [
            json!({"iat": hour, "exp": hour + 600}),
            json!({"iat": null}),
            json!({"iat": now.to_string()}),
            json!({"iat": now + 601, "exp": now + 600}),
            json!({"iat": i64::MIN}),
        ] {
            self.signed_claims("beginning", &change);
        }
        for nbf in [json!(hour), json!(i64::MAX), json!("0"), json!(0.5)] {
            self.signed_claims("not before", &json!({"nbf": nbf}));
        }
    }

    pub(crate) fn names(&mut self) {
        let issuer = self.claims["iss"].as_str().unwrap().to_owned();
        for name in ["iss", "aud"] {
            for value in [
                json!(format!("{issuer}/")),
                json!(issuer.to_uppercase()),
                json!(format!("{issuer}.evil.example")),
                json!("https://evil.example"),
                json!([issuer]),
                json!([issuer, "https://evil.example"]),
                json!(""),
                json!(null),
            ] {
                self.signed_claims("issuer and audience", &json!({name: value}));
            }
        }
        let (own, theirs) = (self.claims.clone(), self.others.clone());
        for sub in [
            theirs["sub"].clone(),
            json!("00000000-0000-0000-0000-000000000000"),
            json!("admin"),
            json!(format!("{}\0", own["sub"].as_str().unwrap())),
            json!([own["sub"]]),
            json!(1),
            json!(null),
        ] {
            self.signed_claims("subject", &json!({"sub": sub}));
        }
        for sid in [
            theirs["sid"].clone(),
            json!(aurax::new_id().to_string()),
            json!("00000000-0000-0000-0000-000000000000"),
            own["sub"].clone(),
            json!("x"),
            json!(null),
        ] {
            self.signed_claims("login", &json!({"sid": sid}));
        }
        for jti in [json!("x"), json!(null)] {
            self.signed_claims("id", &json!({"jti": jti}));
        }
        let text = own.to_string();
        let twice = format!(r#"{{"sub":{},{}"#, theirs["sub"], &text[1..]);
        self.signed_text("claims", &twice);
        for claims in ["[]", "null", "{}", "{", "", "\"x\"", "\u{feff}{}"] {
            self.signed_text("claims", claims);
        }
    }

    pub(crate) fn forms(&mut self, genuine: &str) {
        let parts: Vec<&str> = genuine.split('.').collect();
        for (which, name) in ["header", "claims", "signature"].into_iter().enumerate() {
            let length = parts[which].len();
            // The last letters hold bits beyond the last byte, which nobody may choose either.
            for at in [0, 1, length / 2, length - 2, length - 1] {
                let mut bytes = parts[which].as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'B' { b'C' } else { b'B' };
                let mut all = parts.clone();
                let text = String::from_utf8(bytes).unwrap();
                all[which] = &text;
                self.token("bit flips", format!("{name} at {at}"), all.join("."));
            }
        }
        let [header, claims, signature] = [parts[0], parts[1], parts[2]];
        let message = format!("{header}.{claims}");
        let cut = &signature[..signature.len() - 4];
        for (what, token) in [
            ("no signature", format!("{message}.")),
            ("two parts", message.clone()),
            ("one part", header.to_owned()),
            ("a cut signature", format!("{message}.{cut}")),
            ("half a signature", format!("{message}.{}", &signature[..8])),
            ("four parts", format!("{genuine}.{signature}")),
            ("five parts", format!("{genuine}.{header}.{claims}")),
            ("a dot before", format!(".{genuine}")),
            ("a dot after", format!("{genuine}.")),
            ("two dots", format!("{header}..{claims}.{signature}")),
            ("dots alone", "..".to_owned()),
            ("padding", format!("{genuine}=")),
            ("much padding", format!("{genuine}==")),
            ("parts swapped", format!("{claims}.{header}.{signature}")),
            (
                "a zero signature",
                format!("{message}.{}", base64([0; 256])),
            ),
            (
                "a long signature",
                format!("{message}.{}", base64([1; 512])),
            ),
            ("a comma", format!("{genuine},{genuine}")),
            ("percent", genuine.replace('.', "%2e")),
            ("other base64", format!("{message}.+/{}", &signature[2..])),
            ("9 KiB", "A".repeat(9 * 1_024)),
            ("9 KiB of dots", ".".repeat(9 * 1_024)),
            ("a long end", format!("{genuine}{}", "A".repeat(9 * 1_024))),
            ("quotes", format!("\"{genuine}\"")),
            ("nonsense", "x".to_owned()),
            ("null", "null".to_owned()),
            ("undefined", "undefined".to_owned()),
        ] {
            self.token("form", what, token);
        }
    }

    pub(crate) fn others(&mut self, invitation: &str, refresh: &str, key: &str) {
        self.token("another kind", "an invitation", invitation);
        self.token("another kind", "a refresh token", refresh);
        let flipped = key.char_indices().map(|(at, c)| {
            if at == key.len() - 5 {
                if c == 'x' { 'y' } else { 'x' }
            } else {
                c
            }
        });
        for (what, key) in [
            ("the prefix", "aurax_".to_owned()),
            ("cut", key[..key.len() - 1].to_owned()),
            ("longer", format!("{key}A")),
            ("flipped", flipped.collect()),
            ("upper case", key.to_uppercase()),
            ("another prefix", key.replace("aurax_", "aurax-")),
            ("no prefix", key.replace("aurax_", "")),
            ("twice the prefix", format!("aurax_{key}")),
            ("huge", format!("aurax_{}", "A".repeat(9 * 1_024))),
            ("a wildcard", "aurax_%".to_owned()),
            ("SQL", "aurax_'OR'1'='1".to_owned()),
        ] {
            self.token("access key", what, &key);
            self.headers(
                "access key",
                format!("{what}, as x-api-key"),
                [("x-api-key", key)],
            );
        }
    }

    pub(crate) fn authorizations(&mut self, genuine: &str, key: &str) {
        let bearer = || ("authorization", format!("Bearer {genuine}"));
        let several = "several";
        self.headers(several, "twice the same", [bearer(), bearer()]);
        let wrong = || ("authorization", "Bearer x".to_owned());
        self.headers(several, "a wrong one first", [wrong(), bearer()]);
        self.headers(several, "a wrong one last", [bearer(), wrong()]);
        let api = || ("x-api-key", key.to_owned());
        self.headers(several, "a token and a key", [bearer(), api()]);
        self.headers(several, "two keys", [api(), api()]);
        let values = [
            format!("Basic {}", base64(format!("x:{genuine}"))),
            genuine.to_owned(),
            "Bearer".to_owned(),
            format!("Bearer  {genuine}"),
            format!("Bearer {genuine} x"),
            format!("Bearer\t{genuine}"),
            format!("Bearer:{genuine}"),
            format!("Bearer,{genuine}"),
            format!("Token {genuine}"),
            format!("JWT {genuine}"),
            format!("Digest {genuine}"),
            format!("Negotiate {genuine}"),
            format!("Bearerx {genuine}"),
        ];
        for value in values {
            let what: String = value.chars().take(12).collect();
            self.headers("scheme", what, [("authorization", value)]);
        }
        for (name, value) in [
            ("cookie", format!("access_token={genuine}")),
            ("proxy-authorization", format!("Bearer {genuine}")),
            ("x-access-token", genuine.to_owned()),
            ("x-forwarded-user", "admin".to_owned()),
        ] {
            self.headers("elsewhere", name, [(name, value)]);
        }
        self.headers("elsewhere", "no header at all", []);
    }
}

/// `change` over `base`; null takes a field away.
fn changed(base: &Value, change: &Value) -> Value {
    let mut all = base.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            all.as_object_mut().unwrap().remove(name);
        } else {
            all[name] = value.clone();
        }
    }
    all
}
