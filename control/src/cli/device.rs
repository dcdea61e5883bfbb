//! `sluice login --device`: a terminal without a browser signs in as a device does (RFC 8628), at control itself: people let it
//! in on control's own page, whatever their identity provider can do.

use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, ErrorResponse,
    RequestTokenError, StandardDeviceAuthorizationResponse, TokenResponse as _, TokenUrl,
};
use zeroize::Zeroizing;

use super::Failure;
use super::print::{clean_line, say};
use crate::client::{CallError, Client};
use crate::visits::{Http, shown};

/// What people are shown who are asked to let this command in.
const NAME: &str = "sluice login";

/// Asks control for a code, shows it, and waits until somebody has let this terminal in: as slowly as control wants, and no
/// longer than the code is good.
pub async fn token(url: &str) -> Result<Zeroizing<String>, Failure> {
    let base = url.trim_end_matches('/');
    let wrong = |_| Failure::Cannot(format!("{} is no URL", clean_line(url)));
    let device = DeviceAuthorizationUrl::new(format!("{base}/v1/oauth/device")).map_err(wrong)?;
    let tokens = TokenUrl::new(format!("{base}/v1/oauth/token")).map_err(wrong)?;
    let oauth = BasicClient::new(ClientId::new(NAME.to_owned()))
        .set_device_authorization_url(device)
        .set_token_uri(tokens)
        .set_auth_type(AuthType::RequestBody);
    let http = Http(Client::new());
    let asked = oauth.exchange_device_code().request_async(&http).await;
    let asked: StandardDeviceAuthorizationResponse = asked.map_err(|error| refused(url, error))?;
    show(&asked);
    let polled = oauth.exchange_device_access_token(&asked).request_async(&http, tokio::time::sleep, None);
    let given = polled.await.map_err(|error| match &error {
        RequestTokenError::ServerResponse(said) => match said.error() {
            DeviceCodeErrorResponseType::AccessDenied => Failure::No(
                "whoever has your code refused it, or their own sign-in has ended; nothing was given".into(),
            ),
            DeviceCodeErrorResponseType::ExpiredToken => {
                Failure::Cannot("nobody let this terminal in before the code ended; try again".into())
            }
            _ => refused(url, error),
        },
        _ => refused(url, error),
    })?;
    Ok(Zeroizing::new(given.access_token().secret().clone()))
}

fn show(asked: &StandardDeviceAuthorizationResponse) {
    let code = clean_line(asked.user_code().secret());
    let page = clean_line(asked.verification_uri());
    say(&format!(
        "Open this page in a browser, on any machine:\n  {page}\nand type this code there:\n  {code}"
    ));
    if let Some(whole) = asked.verification_uri_complete() {
        say(&format!("The same with the code in it:\n  {}", clean_line(whole.secret())));
    }
    say(&format!(
        "Where you are signed in on the command line already: sluice tokens device approve {code}\n\
         This waits for {} minutes at the most.",
        asked.expires_in().max(Duration::from_secs(60)).as_secs() / 60
    ));
}

/// Why there is no token. What the service describes was written for people.
fn refused<T>(url: &str, error: RequestTokenError<CallError, T>) -> Failure
where
    T: ErrorResponse + Described + 'static,
{
    match error {
        RequestTokenError::ServerResponse(said) => Failure::Cannot(said.described()),
        RequestTokenError::Request(error) => Failure::cannot(error),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Failure::Cannot(format!(
            "{} did not answer as a control service does; is it one, of this version?",
            clean_line(url)
        )),
    }
}

/// An error of the service in its own words.
trait Described {
    fn described(&self) -> String;
}

impl<T: oauth2::ErrorResponseType + AsRef<str>> Described for oauth2::StandardErrorResponse<T> {
    fn described(&self) -> String {
        match self.error_description() {
            Some(why) => clean_line(why),
            None => format!("the service refused: {}", shown(self.error().as_ref())),
        }
    }
}
