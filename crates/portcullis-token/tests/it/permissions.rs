use portcullis_token::{
    AccessClaims, Audience, Expect, KeyRing, PackedPermissions, PermissionRegistry, RegistryError, SigningKey,
};
use serde_json::json;

fn registry(names: &[&str]) -> PermissionRegistry {
    PermissionRegistry::new(names.iter().copied()).unwrap()
}

fn text(packed: &PackedPermissions) -> String {
    serde_json::to_value(packed).unwrap().as_str().unwrap().to_owned()
}

fn read(text: &str) -> Result<PackedPermissions, serde_json::Error> {
    serde_json::from_value(json!(text))
}

/// Long names, as real ones are.
fn two_hundred() -> Vec<String> {
    (0..200).map(|number| format!("department{}:resource{number}:write", number % 7)).collect()
}

fn claims(permissions: Vec<String>, packed: Option<PackedPermissions>) -> AccessClaims {
    AccessClaims {
        iss: "https://app.example.org/auth".into(),
        sub: "01a20b68-3a4a-7168-a999-ce29ba92d947".into(),
        aud: Audience::from("https://api.example.org"),
        exp: 1_800_000_900,
        iat: 1_800_000_000,
        jti: "c56a4180-65aa-42ec-a945-5fd21dec0538".into(),
        client_id: "portcullis".into(),
        sid: "01a20b68-3a4b-7d10-9d7e-4c2f8a6e1b03".into(),
        auth_time: 1_800_000_000,
        amr: vec!["pwd".into()],
        roles: vec!["administrator".into()],
        permissions,
        packed,
    }
}

#[test]
fn every_set_of_a_registry_reads_back_as_itself() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let registry = registry(&names);
    for set in 0..1_u32 << names.len() {
        let granted: Vec<_> =
            (0..names.len()).filter(|bit| set >> bit & 1 == 1).map(|bit| names[bit]).collect();
        let packed = registry.pack(granted.iter().copied());
        assert_eq!(read(&text(&packed)).unwrap(), packed);
        let permissions = registry.unpack(&packed).unwrap();
        assert_eq!(permissions.names().collect::<Vec<_>>(), granted);
        assert!(names.iter().all(|name| permissions.contains(name) == granted.contains(name)));
        assert!(!permissions.contains("k") && !permissions.contains(""));
    }
}

#[test]
fn the_form_is_the_one_that_is_documented() {
    // The chain of SHA-256("a"), then SHA-256(that and "b"); computed with `openssl dgst -sha256`.
    let registry = registry(&["a", "b", "c"]);
    assert_eq!(text(&registry.pack(["a"])), "1.ypeBEsob.AQ");
    let packed = text(&registry.pack(["b"]));
    assert!(packed.starts_with("2.") && packed.ends_with(".Ag"), "{packed}");
    assert_eq!(text(&registry.pack([])), "0..");
    assert_eq!(serde_json::to_value(&registry).unwrap(), json!({ "names": ["a", "b", "c"] }));
}

#[test]
fn a_registry_that_was_appended_to_reads_older_sets_alike() {
    let names = two_hundred();
    let whole = PermissionRegistry::new(names.clone()).unwrap();
    for length in [1, 7, 8, 9, 199, 200] {
        let older = PermissionRegistry::new(names[..length].to_vec()).unwrap();
        let all = older.pack(older.names().iter().map(String::as_str));
        assert_eq!(whole.unpack(&all).unwrap().names().count(), length);
    }
}

#[test]
fn a_shorter_registry_reads_what_was_granted_of_its_own_names_and_refuses_the_new_ones() {
    let (short, long) = (registry(&["a", "b"]), registry(&["a", "b", "c"]));
    assert!(short.unpack(&long.pack(["b"])).unwrap().contains("b"));
    assert!(short.unpack(&long.pack(["a", "c"])).is_err());
}

#[test]
fn another_registry_never_reads_a_wrong_permission() {
    let packed = registry(&["a", "b", "c"]).pack(["a", "c"]);
    for other in [
        &["c", "b", "a"][..],
        &["a", "c", "b"],
        &["a", "c"],
        &["a", "bc", ""][..2],
        &["ab", "c", "d"],
        &["a", "x", "c"],
        &["x", "a", "b", "c"],
        &[],
    ] {
        assert!(registry(other).unpack(&packed).is_err(), "{other:?}");
    }
    let claims = claims(vec!["a".into()], Some(packed));
    assert!(claims.granted(None).is_err(), "numbers without a registry mean nothing");
}

#[test]
fn only_the_one_written_form_is_read() {
    let good = text(&registry(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]).pack(["a", "i"]));
    let (head, bits) = good.rsplit_once('.').unwrap();
    assert_eq!(bits, "AQE");
    for bad in [
        String::new(),
        "..".into(),
        "0".into(),
        "0.".into(),
        format!("{head}.AQ"),
        format!("{head}.AQI"),
        format!("{head}.AQEA"),
        format!("{head}.AQE="),
        format!("{head}.AQF"),
        format!("{head}.A"),
        format!("0{good}"),
        format!("+{good}"),
        format!(" {good}"),
        format!("{good}.x"),
        good.replacen('9', "10", 1),
        good.replacen('9', "8", 1),
        good.replacen('9', "-9", 1),
        good.replacen('9', "99999999999999999999999", 1),
    ] {
        assert!(read(&bad).is_err(), "{bad}");
    }
    for bad in [json!(1), json!(null), json!(["a"]), json!({})] {
        assert!(serde_json::from_value::<PackedPermissions>(bad).is_err());
    }
}

#[test]
fn names_that_could_be_mistaken_make_no_registry() {
    let new = |names: &[&str]| PermissionRegistry::new(names.iter().copied()).map(drop);
    assert_eq!(new(&["a", "b", "a"]), Err(RegistryError::Twice("a".into())));
    for bad in ["", "a\0", "a\nb", &"x".repeat(129)] {
        assert_eq!(new(&["a", bad]), Err(RegistryError::Name(bad.into())));
    }
    let many: Vec<_> = (0..4097).map(|number| number.to_string()).collect();
    assert_eq!(PermissionRegistry::new(many), Err(RegistryError::TooMany(4097)));
}

#[test]
fn a_published_registry_is_read_from_the_document_that_bears_it() {
    let published = r#"{"keys":[],"portcullis_permissions":{"names":["a","b"]}}"#;
    assert_eq!(PermissionRegistry::from_published(published).unwrap(), Some(registry(&["a", "b"])));
    assert_eq!(PermissionRegistry::from_published(r#"{"keys":[]}"#).unwrap(), None);
    for bad in [
        r#"{"portcullis_permissions":{"names":["a","a"]}}"#,
        r#"{"portcullis_permissions":["a"]}"#,
        r#"{"portcullis_permissions":{}}"#,
        "[",
    ] {
        assert!(PermissionRegistry::from_published(bad).is_err(), "{bad}");
    }
}

#[test]
fn two_hundred_permissions_fit_into_a_header_of_a_kibibyte() {
    let ring = KeyRing::new(SigningKey::ed25519(&[7; 32]).unwrap());
    let registry = PermissionRegistry::new(two_hundred()).unwrap();
    let packed = registry.pack(registry.names().iter().map(String::as_str));
    let claims = claims(vec![], Some(packed));
    let token = ring.sign(&claims).unwrap();
    let header = format!("Authorization: Bearer {token}\r\n");
    assert!(header.len() < 1024, "{} bytes", header.len());
    let read =
        ring.verify(&token, &Expect::new(&*claims.iss, "https://api.example.org"), claims.iat).unwrap();
    assert_eq!(read, claims);
    assert_eq!(read.granted(Some(&registry)).unwrap().names().count(), 200);
    let names = self::claims(two_hundred(), None);
    assert!(ring.sign(&names).map_or(true, |token| token.len() > 6 * 1024), "by name they take that much");
}
