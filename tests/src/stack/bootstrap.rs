//! Fills `envoy/bootstrap.yaml` in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::StackError;
use super::upstream::Upstream;

const BOOTSTRAP: &str = include_str!("../../../envoy/bootstrap.yaml");
const MODEL_KEY: &str = include_str!("../../../envoy/model-key.yaml");
const SIDECAR_TOKEN: &str = include_str!("../../../envoy/sidecar-token.yaml");

/// What stands before and after the parts that Sluice adds.
const BEGIN: &str = "# sluice: begin";
const END: &str = "# sluice: end";
/// What stands before and after the parts that stand once for each MCP server.
const MCP_BEGIN: &str = "# mcp: begin";
const MCP_END: &str = "# mcp: end";

/// What the bootstrap needs to know.
#[derive(Debug)]
pub struct Bootstrap<'a> {
    /// Envoy's node id.
    pub node: &'a str,
    /// Where clients connect, on 127.0.0.1.
    pub port: u16,
    /// Where Envoy's admin page is, on 127.0.0.1.
    pub admin_port: u16,
    /// The model.
    pub upstream: &'a Upstream,
    /// File with the certificates to trust, when the model is spoken to over TLS.
    pub certificates: Option<&'a Path>,
    /// The secret file with the model's key.
    pub secret: &'a Path,
    /// The filter; absent: a plain proxy.
    pub sluice: Option<Sluice<'a>>,
    /// MCP servers behind it.
    pub mcp: &'a [McpUpstream],
}

/// An MCP server on this machine, over plain HTTP.
#[derive(Debug, Clone)]
pub struct McpUpstream {
    /// Where clients find it.
    pub path: String,
    /// Where it is, on 127.0.0.1.
    pub port: u16,
    /// The path of its endpoint there.
    pub rewrite: String,
}

/// What the filter adds.
#[derive(Debug)]
pub struct Sluice<'a> {
    /// The wasm file.
    pub module: &'a Path,
    /// The plugin configuration, as JSON text.
    pub configuration: &'a str,
    /// Where control listens, on 127.0.0.1.
    pub control_port: u16,
    /// How control is called over TLS; absent: over plain HTTP.
    pub control_tls: Option<&'a ControlTls>,
    /// The secret file with the token that Envoy shows to control; absent: the one in the configuration.
    pub control_token: Option<&'a Path>,
}

/// Control over TLS, as files in PEM.
#[derive(Debug, Clone)]
pub struct ControlTls {
    /// Who has issued control's certificate, which is for `localhost`.
    pub authority: PathBuf,
    /// The certificate that Envoy shows, and its key; absent: it shows none.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl ControlTls {
    fn transport_socket(&self) -> Value {
        let own = self.own.iter().map(|(certificate, key)| {
            json!({ "certificate_chain": { "filename": certificate }, "private_key": { "filename": key } })
        });
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": "localhost",
                "auto_sni_san_validation": true,
                "common_tls_context": {
                    "tls_certificates": own.collect::<Vec<_>>(),
                    "validation_context": { "trusted_ca": { "filename": self.authority } },
                },
            },
        })
    }
}

impl Bootstrap<'_> {
    /// The bootstrap as Envoy reads it.
    ///
    /// # Errors
    /// [`StackError::Template`] when the template has a word that nothing fills.
    pub fn render(&self) -> Result<String, StackError> {
        let mut words = BTreeMap::from([
            ("NODE_ID", json!(self.node)),
            ("PORT", json!(self.port)),
            ("ADMIN_PORT", json!(self.admin_port)),
            ("SECRET_FILE", json!(self.secret)),
            ("SECRET_DIRECTORY", json!(self.secret.parent())),
            ("UPSTREAM_HOST", json!(self.upstream.host)),
            ("UPSTREAM_PORT", json!(self.upstream.port)),
            ("UPSTREAM_AUTHORITY", json!(self.upstream.authority())),
            ("UPSTREAM_DISCOVERY", json!(self.discovery())),
            ("UPSTREAM_TRANSPORT_SOCKET", self.transport_socket()),
        ]);
        let template = self.with_mcp(BOOTSTRAP)?;
        let Some(sluice) = &self.sluice else { return fill(&without_sluice(&template), &words) };
        words.insert("MODULE", json!(sluice.module));
        words.insert("PLUGIN_CONFIGURATION", json!(sluice.configuration));
        words.insert("CONTROL_PORT", json!(sluice.control_port));
        let socket = sluice.control_tls.map_or_else(raw_buffer, ControlTls::transport_socket);
        words.insert("CONTROL_TRANSPORT_SOCKET", socket);
        words.insert("CONTROL_PROTOCOL_OPTIONS", sluice.control_token.map_or_else(|| json!({}), with_token));
        fill(&template, &words)
    }

    /// The template with the parts about MCP servers once for each of them, filled in.
    fn with_mcp(&self, template: &str) -> Result<String, StackError> {
        let mut out = String::with_capacity(template.len());
        let mut part: Option<String> = None;
        for line in template.lines() {
            match (line.trim(), &mut part) {
                (MCP_BEGIN, _) => part = Some(String::new()),
                (MCP_END, _) => {
                    let part = part.take().unwrap_or_default();
                    for (n, server) in self.mcp.iter().enumerate() {
                        let words = BTreeMap::from([
                            ("MCP_PATH", json!(server.path)),
                            ("MCP_CLUSTER", json!(format!("mcp-{n}"))),
                            ("MCP_REWRITE", json!(server.rewrite)),
                            ("MCP_AUTHORITY", json!(format!("127.0.0.1:{}", server.port))),
                            ("MCP_HOST", json!("127.0.0.1")),
                            ("MCP_PORT", json!(server.port)),
                        ]);
                        out.push_str(&fill(&part, &words)?);
                    }
                }
                (_, Some(part)) => {
                    part.push_str(line);
                    part.push('\n');
                }
                (_, None) => {
                    out.push_str(line);
                    out.push('\n');
                }
            }
        }
        Ok(out)
    }

    fn discovery(&self) -> &'static str {
        let address = self.upstream.host.parse::<std::net::IpAddr>().is_ok();
        if address { "STATIC" } else { "LOGICAL_DNS" }
    }

    fn transport_socket(&self) -> Value {
        let Some(certificates) = self.certificates.filter(|_| self.upstream.tls) else {
            return raw_buffer();
        };
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": self.upstream.host,
                // The certificate must name the host; without this Envoy takes any that is signed.
                "auto_sni_san_validation": true,
                "common_tls_context": {
                    "validation_context": { "trusted_ca": { "filename": certificates } },
                },
            },
        })
    }
}

/// Envoy puts the sidecar's token on every call to control, in the place of the filter's.
fn with_token(secret: &Path) -> Value {
    json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http_protocol_options": {} },
            "http_filters": [
                {
                    "name": "envoy.filters.http.credential_injector",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
                        "overwrite": true,
                        "credential": {
                            "name": "envoy.http.injected_credentials.generic",
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                                "header": "authorization",
                                "header_value_prefix": "Bearer ",
                                "credential": {
                                    "name": "sidecar-token",
                                    "sds_config": { "path_config_source": {
                                        "path": secret,
                                        "watched_directory": { "path": secret.parent() },
                                    } },
                                },
                            },
                        },
                    },
                },
                {
                    "name": "envoy.filters.http.upstream_codec",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
                    },
                },
            ],
        },
    })
}

/// The secret file with the token that Envoy shows to control.
///
/// # Errors
/// [`StackError::Template`] when the template has a word that nothing fills.
pub fn sidecar_token(file: &Path) -> Result<String, StackError> {
    fill(SIDECAR_TOKEN, &BTreeMap::from([("TOKEN_FILE", json!(file))]))
}

fn raw_buffer() -> Value {
    json!({
        "name": "envoy.transport_sockets.raw_buffer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
        },
    })
}

/// The secret file with the model's key.
///
/// # Errors
/// [`StackError::Template`] when the template has a word that nothing fills.
pub fn model_key(key: &str) -> Result<String, StackError> {
    fill(MODEL_KEY, &BTreeMap::from([("KEY", json!(key))]))
}

fn without_sluice(template: &str) -> String {
    let mut ours = false;
    let mut out = String::with_capacity(template.len());
    for line in template.lines() {
        match line.trim() {
            BEGIN => ours = true,
            END => ours = false,
            _ if ours => {}
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// Puts each word in place of its `${NAME}`, as JSON, which is YAML too.
fn fill(template: &str, words: &BTreeMap<&str, Value>) -> Result<String, StackError> {
    let mut pieces = template.split("${");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').ok_or_else(|| StackError::Template(piece.to_owned()))?;
        match words.get(name) {
            Some(word) => out.push_str(&word.to_string()),
            None => return Err(StackError::Template(name.to_owned())),
        }
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap<'a>(
        upstream: &'a Upstream,
        sluice: Option<Sluice<'a>>,
        mcp: &'a [McpUpstream],
    ) -> Bootstrap<'a> {
        Bootstrap {
            node: "node",
            port: 8080,
            admin_port: 9901,
            upstream,
            certificates: Some(Path::new("/certificates")),
            secret: Path::new("/secrets/model-key.yaml"),
            sluice,
            mcp,
        }
    }

    #[test]
    fn every_word_is_filled_with_and_without_the_filter() {
        let upstream = Upstream::anthropic();
        let tls =
            ControlTls { authority: "/ca.crt".into(), own: Some(("/tls.crt".into(), "/tls.key".into())) };
        let sluice = Sluice {
            module: Path::new("/m.wasm"),
            configuration: r#"{"a":"it's"}"#,
            control_port: 1,
            control_tls: Some(&tls),
            control_token: Some(Path::new("/token.yaml")),
        };
        let server = |n: u16| McpUpstream { path: format!("/mcp/{n}"), port: n, rewrite: "/mcp".into() };
        let with = bootstrap(&upstream, Some(sluice), &[server(7), server(8)]).render().unwrap();
        for part in ["/mcp/7", "/mcp/8", "mcp-0", "mcp-1", "/ca.crt", "/tls.key", "/token.yaml"] {
            assert!(with.contains(part), "{part}: {with}");
        }
        assert!(with.contains(r#"value: "{\"a\":\"it's\"}""#), "{with}");
        assert!(with.contains("auto_sni_san_validation"));
        let plain = bootstrap(&upstream, None, &[]).render().unwrap();
        for rendered in [&with, &plain] {
            assert!(!rendered.contains("${"), "{rendered}");
        }
        assert!(
            !plain.contains("mcp-0") && !plain.contains("sluice-control") && !plain.contains("wasm"),
            "{plain}"
        );
    }

    #[test]
    fn a_key_cannot_break_out_of_its_place() {
        assert!(model_key("a\"\nb").unwrap().contains(r#"inline_string: "a\"\nb""#));
    }
}
