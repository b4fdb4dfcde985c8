use super::*;

fn raw() -> RawS3Parameters {
    RawS3Parameters {
        access_key: Some("AK".into()),
        secret_key: Some("SK/+=".into()),
        bucket: Some("backups".to_owned()),
        endpoint: Some("http://10.0.0.1:9000/".to_owned()),
        ..RawS3Parameters::default()
    }
}

fn problem(raw: RawS3Parameters, parameter: &str) -> String {
    let problems = S3Parameters::new(raw).unwrap_err();
    problems
        .into_iter()
        .find(|problem| problem.parameter == parameter)
        .unwrap()
        .message
}

#[test]
fn everything_missing_is_told_at_once() {
    let problems = S3Parameters::new(RawS3Parameters::default()).unwrap_err();
    let names: Vec<_> = problems.iter().map(|problem| problem.parameter).collect();
    assert_eq!(names, ["access-key", "secret-key", "bucket", "endpoint"]);
    assert_eq!(
        problems.last().unwrap().message,
        "one of region or endpoint must be set"
    );
}

#[test]
fn keys_are_trimmed_and_never_shown() {
    let parameters = S3Parameters::new(RawS3Parameters {
        secret_key: Some(" SK123\n".into()),
        ..raw()
    })
    .unwrap();
    assert_eq!(parameters.secret_key.expose_secret(), "SK123");
    assert!(!format!("{parameters:?}").contains("SK123"));
    let message = problem(
        RawS3Parameters {
            secret_key: Some("SK 123".into()),
            ..raw()
        },
        "secret-key",
    );
    assert!(!message.contains("123"), "{message}");
}

#[test]
fn paths_that_mean_the_same_give_the_same_keys() {
    for (given, key) in [
        (None, "owner.json"),
        (Some(""), "owner.json"),
        (Some("/"), "owner.json"),
        (Some("//a//b/"), "a/b/owner.json"),
        (Some(" with space/x y "), "with space/x y/owner.json"),
        (Some("'\"$(id)`"), "'\"$(id)`/owner.json"),
    ] {
        let parameters = S3Parameters::new(RawS3Parameters {
            path: given.map(str::to_owned),
            ..raw()
        })
        .unwrap();
        assert_eq!(parameters.key("owner.json"), key);
    }
}

#[test]
fn hostile_paths_are_refused() {
    for hostile in ["a/../b", ".", "a\nb", "a\u{0}b"] {
        problem(
            RawS3Parameters {
                path: Some(hostile.to_owned()),
                ..raw()
            },
            "path",
        );
    }
    problem(
        RawS3Parameters {
            path: Some("x".repeat(1000)),
            ..raw()
        },
        "path",
    );
}

#[test]
fn hostile_buckets_are_refused() {
    for hostile in [
        "ab", "-dash", "a/b", "A", "a..b", "10.0.0.1", "$(id)", "a b", "bucket'", "../x",
    ] {
        problem(
            RawS3Parameters {
                bucket: Some(hostile.to_owned()),
                ..raw()
            },
            "bucket",
        );
    }
    assert!(
        S3Parameters::new(RawS3Parameters {
            bucket: Some("my.bucket-1".to_owned()),
            ..raw()
        })
        .is_ok()
    );
}

#[test]
fn hostile_endpoints_are_refused() {
    for hostile in [
        "s3.example.org",
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:99999",
        "http://host/path",
        "http://ho st",
        "http://host?x",
        "http://-host",
        "http://[::1",
        "http://host'",
    ] {
        problem(
            RawS3Parameters {
                endpoint: Some(hostile.to_owned()),
                ..raw()
            },
            "endpoint",
        );
    }
    let message = problem(
        RawS3Parameters {
            endpoint: Some("http://u:geheim@host".to_owned()),
            ..raw()
        },
        "endpoint",
    );
    assert!(!message.contains("geheim"), "{message}");
    for good in [
        "https://[::1]:9000",
        "HTTPS://S3.Example.Org//",
        "http://minio",
    ] {
        assert!(
            S3Parameters::new(RawS3Parameters {
                endpoint: Some(good.to_owned()),
                ..raw()
            })
            .is_ok(),
            "{good}"
        );
    }
}

#[test]
fn style_follows_the_setting_and_else_the_endpoint() {
    let style = |style: Option<&str>, endpoint: Option<&str>| {
        let given = RawS3Parameters {
            s3_uri_style: style.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
            region: Some("eu-west-1".to_owned()),
            ..raw()
        };
        S3Parameters::new(given).unwrap().addressing_style()
    };
    assert_eq!(style(Some("path"), None), "path");
    assert_eq!(style(Some("host"), Some("http://10.0.0.1")), "virtual");
    assert_eq!(style(None, Some("http://10.0.0.1")), "path");
    assert_eq!(
        style(None, Some("https://s3.eu-west-1.amazonaws.com")),
        "virtual"
    );
    assert_eq!(style(None, None), "virtual");
    problem(
        RawS3Parameters {
            s3_uri_style: Some("dns".to_owned()),
            ..raw()
        },
        "s3-uri-style",
    );
}

#[test]
fn certificate_chains_of_any_form_are_read_or_refused() {
    let pem = include_str!("test_ca.pem");
    let one_line = serde_json::to_string(&[pem]).unwrap();
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
    for form in [pem, one_line.as_str(), encoded.as_str()] {
        let parameters = S3Parameters::new(RawS3Parameters {
            tls_ca_chain: Some(form.to_owned()),
            ..raw()
        })
        .unwrap();
        assert_eq!(
            parameters.tls_ca_chain.as_deref().map(str::trim),
            Some(pem.trim())
        );
    }
    for nothing in ["", "[]", "\"\""] {
        let parameters = S3Parameters::new(RawS3Parameters {
            tls_ca_chain: Some(nothing.to_owned()),
            ..raw()
        })
        .unwrap();
        assert_eq!(parameters.tls_ca_chain, None);
    }
    let damaged = pem.replacen('M', "", 1);
    let not_a_certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    for bad in ["rubbish", "[1]", damaged.as_str(), not_a_certificate] {
        problem(
            RawS3Parameters {
                tls_ca_chain: Some(bad.to_owned()),
                ..raw()
            },
            "tls-ca-chain",
        );
    }
}

#[test]
fn hash_changes_with_any_setting() {
    let first = S3Parameters::new(raw()).unwrap().hash();
    let second = S3Parameters::new(RawS3Parameters {
        secret_key: Some("other".into()),
        ..raw()
    })
    .unwrap()
    .hash();
    let third = S3Parameters::new(RawS3Parameters {
        path: Some("x".to_owned()),
        ..raw()
    })
    .unwrap()
    .hash();
    assert_eq!(first, S3Parameters::new(raw()).unwrap().hash());
    assert!(first != second && first != third && second != third);
}

#[test]
fn bundle_that_no_command_could_be_given_is_refused() {
    let bundle = include_str!("test_ca.pem").repeat(300);
    let problems = S3Parameters::new(RawS3Parameters {
        tls_ca_chain: Some(bundle),
        ..raw()
    })
    .unwrap_err();
    assert_eq!(problems[0].parameter, "tls-ca-chain");
    assert!(
        problems[0].message.contains("not a bundle"),
        "{}",
        problems[0]
    );
}

#[test]
fn place_is_named_with_its_path_where_there_is_one() {
    let place = |path: &str| {
        let parameters = S3Parameters::new(RawS3Parameters {
            path: Some(path.to_owned()),
            ..raw()
        });
        parameters.unwrap().place()
    };
    let bucket = "bucket backups at http://10.0.0.1:9000";
    assert_eq!(place("/a/b/"), format!("path a/b in {bucket}"));
    assert_eq!(place(""), bucket);
}
