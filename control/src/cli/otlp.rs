//! Settings of `sluice serve` for OpenTelemetry, under OpenTelemetry's own names in the environment.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::client::Client;
use crate::otlp::{Headers, Otlp, Signal, Target, TargetError, pairs};

/// Where spans and log records go.
#[derive(Debug, Args)]
#[command(next_help_heading = "OpenTelemetry")]
pub struct OtlpSettings {
    /// Send a span for each exchange and a log record for each decision to this OTLP/HTTP receiver, as JSON:
    /// http://collector:4318. Default: nothing is sent.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Where spans go, if elsewhere: the whole URL.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_name = "URL")]
    otlp_traces_endpoint: Option<String>,
    /// Where log records go, if elsewhere: the whole URL.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", value_name = "URL")]
    otlp_logs_endpoint: Option<String>,
    /// Headers for the receiver: name=value,other=value. Secrets are better given as --otlp-headers-file: arguments are
    /// seen by other processes.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true, value_name = "LIST")]
    otlp_headers: Option<String>,
    /// A file with more headers, one in each line, read for each message: authorization=Bearer%20TOKEN.
    #[arg(long, env = "SLUICE_OTLP_HEADERS_FILE", value_name = "FILE")]
    otlp_headers_file: Option<PathBuf>,
    /// The CA certificates that an https receiver is checked with, as PEM. Default: those of the machine.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    otlp_ca: Option<PathBuf>,
    /// What the service is called in spans and log records.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "sluice", value_name = "NAME")]
    otlp_service_name: String,
    /// Further attributes of the service: deployment.environment.name=prod,other=value.
    #[arg(long, env = "OTEL_RESOURCE_ATTRIBUTES", value_name = "LIST")]
    otlp_resource: Option<String>,
}

impl OtlpSettings {
    /// What they come to; `None` where nothing is sent.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn read(self) -> Result<Option<Otlp>, Failure> {
        let wrong = |error: TargetError| Failure::cannot(error);
        // OpenTelemetry takes a variable that is empty for one that is not there.
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let headers = Headers {
            given: Headers::parse(&given(&self.otlp_headers).unwrap_or_default()).map_err(wrong)?,
            file: self.otlp_headers_file,
        };
        let common = given(&self.otlp_endpoint);
        let target = |signal, own: &Option<String>| {
            Target::of(signal, given(own).as_deref(), common.as_deref(), &headers).map_err(wrong)
        };
        let traces = target(Signal::Traces, &self.otlp_traces_endpoint)?;
        let logs = target(Signal::Logs, &self.otlp_logs_endpoint)?;
        if traces.is_none() && logs.is_none() {
            return Ok(None);
        }
        let client = match self.otlp_ca.filter(|file| !file.as_os_str().is_empty()) {
            Some(file) => Client::trusting(&file).map_err(Failure::Cannot)?,
            None => Client::new(),
        };
        let list = given(&self.otlp_resource).unwrap_or_default();
        let mut resource = pairs("the list of resource attributes", &list).map_err(wrong)?;
        resource.retain(|(name, _)| name != "service.name");
        resource.insert(0, ("service.name".to_owned(), self.otlp_service_name));
        Ok(Some(Otlp { traces, logs, client, resource }))
    }
}
