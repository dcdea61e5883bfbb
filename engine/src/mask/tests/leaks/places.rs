//! Where values stand: Markdown, code, configuration, logs, tables, addresses.

/// Places for values that are told by their own form. `{}` is the value.
pub(super) const PLACES: [&str; 64] = [
    "**{}**",
    "*{}*",
    "__{}__",
    "_{}_",
    "___{}___",
    "~~{}~~",
    "***{}***",
    "`{}`",
    "```\n{}\n```",
    "```text\n1  {}\n```",
    "[{}](https://other.test/x)",
    "[see]({})",
    "![{}](a.png)",
    "> {}",
    ">> {}\n>> more",
    "- {}",
    "* {} - the first",
    "1. {}",
    "- [x] {}",
    "# {}",
    "| name | {} |\n|---|---|",
    "|{}|",
    "<{}>",
    "<td>{}</td>",
    "<a title=\"{}\">x</a>",
    "<!-- {} -->",
    "\"{}\"",
    "'{}'",
    "“{}”",
    "«{}»",
    "„{}“",
    "({})",
    "[{}]",
    "{{}}",
    "{\"v\": \"{}\"}",
    "{\\\"v\\\": \\\"{}\\\"}",
    "{\\\\\\\"v\\\\\\\": \\\\\\\"{}\\\\\\\"}",
    "[\"{}\",\"{}\"]",
    "v: {}",
    "v: \"{}\" # theirs",
    "- v: {}\n  w: 2",
    "V={}",
    "export V=\"{}\"",
    "V='{}' ./run.sh",
    "run --value={} --dry",
    "run --value {}",
    "curl -d 'v={}' http://localhost:8080/",
    "// {}",
    "# {} is his",
    "/* {} */",
    "-- {}",
    "let v = \"{}\";",
    "INSERT INTO t VALUES (7, '{}', NULL);",
    "a,{},b",
    "a;{};b",
    "a\t{}\tb",
    "\"a\",\"{}\",\"b\"",
    "https://x.other.test/?v={}&w=1",
    "2026-11-21T23:22:05Z INFO user={} status=200",
    "it is {}.",
    "is it {}?",
    "{}, {}; {}!",
    "它是{}。",
    "🙂{}🙂",
];

/// Private keys, and values that a name gives away: kind, name of the case, value, text.
pub(super) fn named() -> Vec<(&'static str, String, String, String)> {
    let mut cases = Vec::new();
    for (kind, value, names) in [
        ("password", "Tr0ub4dor&3xY", ["password", "DB_PASSWORD", "spring.datasource.password"]),
        ("secret", "q9X2m5L8v1Zk3Rt7Wp0sQ4", ["api_key", "CLIENT_SECRET", "auth.token"]),
        ("aws_secret_key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzKq3v9Qa0L", ["aws_secret_access_key"; 3]),
    ] {
        for name in names {
            for place in [
                "{n}={v}",
                "{n}=\"{v}\"",
                "export {n}='{v}'",
                "{n}: {v}\n",
                "{n}: \"{v}\"",
                "\"{n}\": \"{v}\",",
                "{\\\"{n}\\\":\\\"{v}\\\"}",
                "{n} = \"{v}\"",
                "{n} := \"{v}\"",
                "// {n}={v}",
                "# {n}={v} \n",
                "**{n}**: `{v}`",
                "`{n}={v}`",
                "| {n} | x |\n{n}={v}",
                "run --{n}={v} --dry",
                "?{n}={v}&x=1",
            ] {
                let text = place.replace("{n}", name).replace("{v}", value);
                cases.push((kind, format!("{name} in {place:?}"), value.to_owned(), text));
            }
        }
    }
    for (scheme, password) in
        [("postgres", "S3cr3tPassw0rd!"), ("redis", "hunter2hunter2"), ("https", "k3v9Qa0Lm2xR7")]
    {
        for place in
            ["{}", "\"{}\"", "URL={}", "url: {}\n", "**{}**", "<{}>", "(`{}`)", "{\\\"u\\\":\\\"{}\\\"}"]
        {
            let url = format!("{scheme}://app:{password}@db.internal:5432/orders");
            cases.push(("url_password", place.to_owned(), password.to_owned(), place.replace("{}", &url)));
        }
    }
    for (kind, value, places) in [
        (
            "password",
            "Tr0ub4dor&3xY",
            [
                "curl -u ann:{} https://x.test",
                "curl -s --user 'ann@example.com:{}' https://x.test",
                "`curl -X POST -u \"ann:{}\" x.test/v1`",
                "sshpass -p {} ssh ann@host",
                "| password | {} |",
                "|---|---|\n| `DB_PASSWORD` | **{}** |\n",
            ],
        ),
        (
            "secret",
            "4f9aZ81c02Kd7e35b6Qx.k3Rt7Wp0s",
            [
                "Cookie: sid={}\r\nHost: x.test",
                "cookie: theme=dark; lang=en; sid={}; tz=UTC\n",
                "< Set-Cookie: sid={}; Path=/; HttpOnly",
                "curl -b x -H \"Cookie: a=b; sid={}\" x.test",
                "{\"Cookie\":\"sid={}\"}",
                "{\\\"set-cookie\\\":\\\"sid={}; Secure\\\"}",
            ],
        ),
    ] {
        for place in places {
            cases.push((kind, place.to_owned(), value.to_owned(), place.replace("{}", value)));
        }
    }
    for text in ["AKIA Z3MS DX5Q W7RT 2UVB", "AKIA-Z3MS-DX5Q-W7RT-2UVB", "**AKIA Z3MS DX5Q W7RT 2UVB**"] {
        cases.push((
            "aws_access_key",
            "in groups".to_owned(),
            "AKIAZ3MSDX5QW7RT2UVB".to_owned(),
            text.to_owned(),
        ));
    }
    cases.extend(private_keys());
    cases
}

/// A private key with what tools and people put in front of its lines.
fn private_keys() -> Vec<(&'static str, String, String, String)> {
    let lines = [
        "-----BEGIN PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
        "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu",
        "NMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s",
        "-----END PRIVATE KEY-----",
    ];
    let numbered = |from: usize, sign: &str| -> String {
        lines.iter().enumerate().map(|(i, line)| format!("{:>6}{sign}{line}\n", i + from)).collect()
    };
    let prefixed =
        |prefix: &str| -> String { lines.iter().map(|line| format!("{prefix}{line}\n")).collect() };
    let texts = [
        ("plain", lines.join("\n")),
        ("with CR LF", lines.join("\r\n")),
        ("escaped", lines.join("\\n")),
        ("escaped twice", lines.join("\\\\n")),
        ("on one line", lines.join(" ")),
        ("unfinished", lines[..3].join("\n")),
        ("numbered with arrows", numbered(1, "→")),
        ("numbered from 98", numbered(98, "→")),
        ("numbered with tabs", numbered(1, "\t")),
        ("numbered with bars", numbered(1, " | ")),
        ("numbered with colons", numbered(9, ": ")),
        ("found by grep", prefixed("12:")),
        ("found by grep, around", prefixed("12-")),
        ("quoted", prefixed("> ")),
        ("added", prefixed("+")),
        ("commented", prefixed("# ")),
        ("commented in C", prefixed("// ")),
        ("indented", prefixed("    ")),
        ("in YAML", format!("key: |\n{}", prefixed("  "))),
        ("in a string", format!("\"{}\"", lines.join("\\n"))),
        ("in strings", lines.iter().map(|l| format!("  \"{l}\\n\"\n")).collect()),
        ("in strings that are added", lines.iter().map(|l| format!("  \"{l}\\n\" +\n")).collect()),
        ("in a list", lines.iter().map(|l| format!("  '{l}',\n")).collect()),
    ];
    let value = lines[1..4].concat();
    texts
        .into_iter()
        .map(|(name, text)| {
            ("private_key", format!("a key {name}"), value.clone(), format!("see\n{text}\nend"))
        })
        .collect()
}
