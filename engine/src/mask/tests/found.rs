//! Values of every kind, in the places where they stand.

use super::{BASE62, Numbers, masker, masker_with_packs, seen, unmark};
use crate::mask::detect::keys;

/// Kind and text; all marked spans, and nothing else, are findings of the kind.
const FOUND: &[(&str, &str)] = &[
    ("email", "write to ⟦john.doe@example.com⟧."),
    ("email", "<⟦a@b.co⟧>, (⟦x+tag@sub.mail-server.example.org⟧); ⟦O'Brien@dept.gov.uk⟧!"),
    ("email", "mailto:⟦jane@acme.io⟧?subject=hi"),
    ("email", "user=⟦jane_doe-99@acme.museum⟧&x=1"),
    ("email", "**⟦bold@acme.com⟧** and _⟦it@acme.com⟧_ and `⟦code@acme.com⟧`"),
    ("email", "{\"email\":\"⟦q@acme.de⟧\"}"),
    ("email", "⟦jürgen@müller.de⟧ schreibt"),
    ("email", "联系⟦wang@example.cn⟧或者"),
    ("email", "⟦123456@qq.com⟧"),
    ("email", "⟦ann@例え.jp⟧, ⟦ann@mail.한국.com⟧然后 ⟦ann@example.com⟧。你好"),
    ("email", "⟦alice@corp.example⟧ ⟦bob@host.local⟧"),
    ("email", "contact ⟦ops@acme.com⟧: call"),
    ("email", "⟦ops@acme.com⟧:hunter2x"),
    ("payment_card", "card 4⟦⟧111"),
    ("payment_card", "⟦4111111111111111⟧"),
    ("payment_card", "pay with ⟦4111 1111 1111 1111⟧ 12/27 123"),
    ("payment_card", "⟦4111-1111-1111-1111⟧, ⟦5500.0000.0000.0004⟧"),
    ("payment_card", "amex ⟦3782 822463 10005⟧ or ⟦378282246310005⟧"),
    ("payment_card", "diners ⟦3056 930902 5904⟧"),
    ("payment_card", "2-series ⟦2223003122003222⟧ and ⟦2223 0031 2200 3222⟧"),
    ("payment_card", "1: ⟦6011111111111117⟧; 2) ⟦3530111333300000⟧"),
    ("payment_card", "nineteen ⟦6304000000000000018⟧"),
    ("payment_card", "id,pan\n7,⟦4012888888881881⟧,x"),
    ("payment_card", "⟦4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1⟧"),
    ("us_ssn", "SSN: ⟦123-45-6789⟧"),
    ("us_ssn", "⟦078-05-1120⟧ is famous"),
    ("us_ssn", "ssn ⟦123456789⟧"),
    ("us_ssn", "social security number ⟦123.45.6789⟧"),
    ("us_ssn", "her number, ⟦123 45 6789⟧."),
    ("phone", "call ⟦+1 415 555 0100⟧ now"),
    ("phone", "⟦+14155550100⟧, ⟦(415) 555-0100⟧, ⟦415-555-0100⟧, ⟦415.555.0100⟧"),
    ("phone", "⟦1-800-555-0199⟧"),
    ("phone", "⟦+44 20 7946 0958⟧ / ⟦+44 (0)20 7946 0958⟧"),
    ("phone", "⟦020 7946 0958⟧ or ⟦07700 900123⟧"),
    ("phone", "tél. ⟦01 23 45 67 89⟧"),
    ("phone", "⟦+49 30 901820⟧ ⟦030/901820⟧"),
    ("phone", "phone: ⟦4155550100⟧"),
    ("phone", "mobile ⟦612 345 678⟧"),
    ("phone", "⟦+91 98765 43210⟧ ⟦+86 138 0013 8000⟧ ⟦+353 1 234 5678⟧"),
    ("phone", "(⟦+33 1 23 45 67 89⟧)"),
    ("iban", "to ⟦DE89 3704 0044 0532 0130 00⟧ please"),
    ("iban", "⟦GB82WEST12345698765432⟧ ⟦fr1420041010050500013m02606⟧ ⟦NO93 8601 1117 947⟧"),
    ("url_password", "postgres://app:⟦S3cr3t!x⟧@db.internal:5432/orders"),
    ("url_password", "redis://:⟦hunter2⟧@cache"),
    ("url_password", "https://joe:⟦p@ss⟧@host.example.com/x"),
    ("password", "password=⟦hunter2x⟧"),
    ("password", "DB_PASSWORD=\"⟦c0rrect horse 9⟧\""),
    ("password", "\"password\": \"⟦Tr0ub4dor&3⟧\","),
    ("password", "spring.datasource.password=⟦9fQ-x!22⟧\n"),
    ("password", "passwd: ⟦S0mething!⟧\n"),
    ("password", "DB_PASSWORD=⟦Zq8vB2&mN5xKp7wR⟧"),
    ("password", "DB_PASSWORD=⟦Zq8vB2,mN5xKp7wR⟧\nDB_USER=x"),
    ("password", "DB_PASSWORD=⟦Zq8vB2;mN5xKp7wR⟧; export X"),
    ("password", "DB_PASSWORD=⟦Zq8vB2)mN5xKp7wR⟧ next"),
    ("password", "DB_PASSWORD=⟦Zq8vB2<mN5xKp7wR⟧\n"),
    ("password", "DB_PASSWORD=⟦Zq8vB2|mN5{xK}p7[wR⟧\n"),
    ("password", "DB_PASSWORD=⟦Zq8vB2\\mN5xKp7wR⟧\n"),
    ("password", "password: ⟦Tr0ub4dor&3xKq92mmLpz⟧"),
    ("password", "password: ⟦(Zq8vB2mN5xKp7wR⟧"),
    ("password", "password: ⟦aB3,kL9;mN2)pQ7⟧"),
    ("password", "password: ⟦kX9<mN2>pQ7vvR⟧"),
    ("password", "password: ⟦kX9(mN2)pQ7vvR⟧\nnext: x"),
    ("password", "password=⟦hunter2x⟧&user=y and https://x.test/?password=⟦hunter2x⟧&a=1"),
    ("password", "f(password=⟦hunter2x⟧, y); f(user=x, password=⟦hunter2x⟧); {password: ⟦hunter2x⟧}"),
    ("password", "Server=db;Password=⟦hunter2x⟧;User Id=sa;Encrypt=True"),
    ("password", "{user:x,password:⟦hunter2x⟧,host:y}"),
    ("password", "<td>password=⟦hunter2x⟧</td> password: ⟦hunter2x⟧<br/>"),
    ("password", "PASSWORD=⟦hunter2x⟧; make & PASSWORD=⟦hunter2x⟧ && make"),
    ("password", "<password>⟦Tr0ub4dorX3⟧</password> <ns:Password>⟦Tr0ub4dorX3⟧</ns:Password>"),
    ("secret", "<apiKey>⟦9f8e7d6c5b4a39281706⟧</apiKey>"),
    ("password", "CREATE USER x IDENTIFIED BY '⟦Tr0ub4dorX3⟧'; create user y password '⟦Tr0ub4dorX3⟧'"),
    ("password", "machine x login y password ⟦Tr0ub4dorX3⟧\nmachine z"),
    (
        "password",
        "curl -sS -u admin:⟦hunter2x⟧ https://x.test/a; curl --user 'svc.bot:⟦Tr0 ub4dor&3⟧' -X PUT",
    ),
    ("password", "curl --proxy-user=bob:⟦Zq8vB2&mN5xKp7wR⟧ --user \"bob:⟦Zq8vB2mN⟧\" \\\n  https://x.test"),
    ("password", "sshpass -p ⟦Tr0ub4dor3⟧ ssh root@host && sshpass -p '⟦hunter2x⟧' scp a b"),
    ("password", "| user | bob |\n| password | ⟦Tr0ub4dor&3⟧ |\n|**Password**|`⟦Zq8vB2mN5x⟧`|"),
    ("secret", "Cookie: ⟦theme=dark; sid=4f9aZ81c02Kd7e35b6Qx; lang=en⟧\r\nHost: x"),
    ("secret", "Set-Cookie: connect.sid=⟦s%3A4f9aZ81c02Kd7e35b6Qx.k3Rt7Wp0s⟧; Path=/; HttpOnly\n"),
    (
        "secret",
        "curl -H 'Cookie: ⟦sid=4f9aZ81c02Kd7e35b6Qx⟧' -H \"cookie: ⟦a=b;sid=4f9aZ81c02Kd7e35b6Qx⟧\" https://x.test",
    ),
    (
        "secret",
        "{\"cookie\": \"⟦sid=4f9aZ81c02Kd7e35b6Qx⟧\", \"set-cookie\": \"sid=⟦4f9aZ81c02Kd7e35b6Qx⟧; Secure\"}",
    ),
    ("secret", "TOKEN=⟦q9X2m5L8v1Z,k3Rt7Wp0s&aa9⟧\n"),
    ("secret", "api_key = \"⟦9f8e7d6c5b4a39281706⟧\""),
    ("secret", "Authorization: Bearer ⟦q9X2m5L8v1Zk3Rt7Wp0s⟧\n"),
    ("secret", "authorization: Basic ⟦dXNlcjpoNHVudGVyMg==⟧"),
    ("secret", "CLIENT_SECRET=⟦v1Q8~x2Lm9Kd7Rt4Wp0sZa⟧"),
    ("secret", "AccountKey=⟦u8Zr3kLm2Qx9Tv7Wp1sYb5Nc4Hd6Jf0Ga3Ke8Ri2Uo7Xt1Vz5Mw9Pq4Sd6Fg8Hj==⟧;"),
    ("aws_secret_key", "aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYzKq3v9Qa0L⟧"),
    ("aws_secret_key", "a,aws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYzKq3v9Qa0L⟧,b"),
    ("secret", "a,api_key=⟦k3v9Qa0Lm2xR7bTzWp5s⟧,b"),
    (
        "secret",
        "api_key=⟦k3v9Qa0Lm2xR7bTzWp5sk3v9Qa0Lm2xR7bTzWp5sk3v9Qa0Lm2xR7bTzWp5sk3v9Qa0Lm2xR7bTzWp5s⟧;b",
    ),
    ("secret", "SECRET_KEY=⟦k3v9,a0Lm2xR7bTzWp5s⟧ here"),
    ("password", "a,DB_PASSWORD=⟦abcde!1234,b⟧"),
    ("aws_secret_key", "\"SecretAccessKey\": \"⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYzKq3v9Qa0L⟧\""),
    ("aws_secret_key", "export AWS_SECRET_ACCESS_KEY=⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟧"),
    (
        "jwt",
        "token ⟦eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U⟧.",
    ),
    (
        "private_key",
        "⟦-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKj\n-----END PRIVATE KEY-----⟧\nafter",
    ),
    (
        "private_key",
        "⟦-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB12\n\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nabcd\n-----END RSA PRIVATE KEY-----⟧ after",
    ),
    (
        "private_key",
        "     1→⟦-----BEGIN OPENSSH PRIVATE KEY-----\n     2→b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\n     3→c2gtZWQyNTUxOQ==\n     4→-----END OPENSSH PRIVATE KEY-----⟧\n     5→end",
    ),
    (
        "private_key",
        "cut ⟦-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY⟧",
    ),
    (
        "private_key",
        "{\"key\":\"⟦-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\\nabc=\\n-----END PRIVATE KEY-----⟧\\n\"}",
    ),
    ("azure_key", "secret ⟦k3v8Q~x2Lm9Kd7Rt4Wp0sZaQw5Yb1Nc6Hd8Jf3Ga⟧."),
    ("azure_key", "~.⟦a8Q~x2Lm9Kd7Rt4Wp.sZa-w5Yb1Nc6Hd8Jf3G⟧"),
    ("azure_key", "⟦3Kq9Zr2Lm7Xv1Tp5Wb8Nc4Hd6Jf0Ga3Ke8Ri2Uo7Xt1Vz5Mw9PqSJQQJ99BFACYeBjFXJ3w3AAABACOGk3v9⟧"),
    ("telegram_token", "bot ⟦123456789:AAHk3v9Qa0Lm2xR7bTzWp5sYnC4dJ6fGh8K⟧"),
];

/// The same, with every pack on.
const FOUND_WITH_PACKS: &[(&str, &str)] = &[
    ("ip_address", "from ⟦8.8.8.8⟧:53 and ⟦2606:4700:4700::1111⟧"),
    ("mac_address", "eth0 ⟦00:1A:2b:3c:4D:5e⟧ up, ⟦a4-83-e7-00-11-22⟧"),
    ("crypto_wallet", "⟦1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa⟧ ⟦bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4⟧"),
    ("crypto_wallet", "wallet ⟦0x52908400098527886E0F7030069857D2E4169EE7⟧"),
    ("us_itin", "⟦912-70-1234⟧"),
    ("us_npi", "NPI ⟦1234567893⟧"),
    ("us_aba", "routing ⟦021000021⟧"),
    ("us_mbi", "⟦1EG4-TE5-MK73⟧"),
    ("uk_nhs_number", "⟦943 476 5919⟧"),
    ("uk_nino", "⟦AB123456C⟧ and ⟦AB 12 34 56 C⟧"),
    ("es_nif", "DNI ⟦12345678Z⟧"),
    ("es_nie", "NIE ⟦X1234567L⟧"),
    ("it_codice_fiscale", "⟦RSSMRA85T10A562S⟧"),
    ("pl_pesel", "⟦44051401359⟧"),
    ("de_tax_id", "IdNr ⟦86095742719⟧"),
    ("fr_nir", "⟦1 84 12 76 451 089 46⟧"),
    ("in_aadhaar", "⟦2341 2341 2346⟧"),
    ("in_pan", "⟦ABCPE1234F⟧"),
    ("au_abn", "⟦51 824 753 556⟧"),
    ("au_tfn", "TFN ⟦123 456 782⟧"),
    ("au_medicare", "medicare ⟦2123456701⟧"),
    ("sg_nric", "⟦S1234567D⟧ ⟦F1234567N⟧"),
    ("ca_sin", "⟦130-692-544⟧"),
    ("passport", "passport number ⟦C01X00T47⟧"),
    ("driver_licence", "driver license ⟦D1234567⟧"),
    ("bank_account", "account number ⟦12345678⟧"),
    ("date_of_birth", "born ⟦31/12/1980⟧, dob ⟦1980-12-31⟧"),
];

/// Names of frameworks, databases and clouds, as their documentation writes them.
#[test]
fn well_known_names_give_their_value_away() {
    let masker = masker();
    for (kind, value, names) in [
        (
            "secret",
            "9f8e7d6c5b4a392817069f8e7d6c5b4a392817069f8e7d6c5b4a392817069f8e",
            "SECRET_KEY_BASE secret_key_base JWT_SECRET JWT_KEY SESSION_SECRET SESSION_KEY COOKIE_KEY COOKIE_SECRET \
             ENCRYPTION_KEY RAILS_MASTER_KEY master_key PRIVATE_TOKEN PRIVATE-TOKEN CLIENT_SECRET clientSecret \
             SECRET_KEY DJANGO_SECRET_KEY APP_KEY NEXTAUTH_SECRET AUTH_SECRET WEBHOOK_SECRET STRIPE_SECRET_KEY \
             ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY SIGNING_KEY GITHUB_TOKEN X-Api-Key DD_API_KEY \
             AZURE_STORAGE_KEY AZUREWEBJOBS_FUNCTION_KEY DEPLOY_KEY AES_KEY VAULT_TOKEN credentials",
        ),
        (
            "password",
            "Tr0ub4dorX3",
            "DATABASE_PASSWORD PGPASSWORD MYSQL_PWD MYSQL_ROOT_PASSWORD POSTGRES_PASSWORD REDIS_PASSWORD SMTP_PASS \
             SMTP_PASSWORD EMAIL_HOST_PASSWORD DB_PASS MONGO_INITDB_ROOT_PASSWORD SSHPASS KEYSTORE_PASSWORD storePass \
             KEY_PASSPHRASE Passwort Kennwort senha contrasena spring.mail.password MotDePasse",
        ),
    ] {
        for name in names.split_whitespace() {
            for text in
                [format!("{name}={value}"), format!("{name}: {value}\n"), format!("\"{name}\": \"{value}\",")]
            {
                assert_eq!(seen(&masker, &text), [(kind.to_owned(), value.to_owned())], "{text}");
            }
        }
    }
}

#[test]
fn values_are_found_where_they_stand_and_nothing_around_them() {
    for (masker, list) in [(masker(), FOUND), (masker_with_packs(), FOUND_WITH_PACKS)] {
        let mut wrong = Vec::new();
        for (kind, marked) in list {
            let (text, values) = unmark(marked);
            let expected: Vec<_> =
                values.into_iter().filter(|v| !v.is_empty()).map(|v| ((*kind).to_owned(), v)).collect();
            let seen = seen(&masker, &text);
            if seen != expected {
                wrong.push(format!("{text:?}\n   expected {expected:?}\n   found    {seen:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[test]
fn a_key_id_and_the_secret_beside_it_are_both_found() {
    let secret = Numbers(7).text(BASE62, 40);
    for between in [",", "\n", " : ", "\t"] {
        let text = format!("AKIAZ3MSDX5QW7RT2UVB{between}{secret} x");
        let kinds: Vec<_> = seen(&masker(), &text).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["aws_access_key", "aws_secret_key"], "{between:?}");
    }
}

/// A classic token of GitHub or npm whose checksum holds is one, however its body looks; with another checksum it is
/// one only where the body looks drawn. The first is an expired token that its owner published.
#[test]
fn a_checksum_makes_sure_of_a_token_and_its_lack_lets_only_filler_pass() {
    let masker = masker();
    assert!(keys::checked("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
    assert!(!keys::checked("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18"));
    for (text, found) in [
        ("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", true),
        // Someone changed the checksum: it can be computed again.
        ("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", true),
        ("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", true),
        // `crc32("abcabc...")` in base 62: no drawn body, but a right checksum.
        ("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", true),
        ("ghp_abcdefghijklmnopqrstuvwxyzabcdefghij", false),
        ("ghp_123456789012345678901234567890123456", false),
        ("npm_abcdefabcdefabcdefabcdefabcdef000000", false),
    ] {
        assert_eq!(!seen(&masker, text).is_empty(), found, "{text}");
    }
}
