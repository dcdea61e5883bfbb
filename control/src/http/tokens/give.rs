//! A token is made, written in the log, and given away.

use serde_json::{Value, json};
use sluice_engine::identity::{Lineage, MAX_LINEAGE, TokenId};
use sluice_engine::policy::document::KeySource;

use super::{Control, Refused, unable};
use crate::records::{Entry, TokenEvent};
use crate::store::Addition;
use crate::tokens::family::{Family, PREFIX, Rotated, Rotation, longest};
use crate::tokens::source::{Secret, Source};
use crate::tokens::{Claims, token_id};

/// How long a new token lives at the most, in seconds: clients come again well before, with what they exchanged.
const LIFETIME: u64 = 3600;

/// What is given, and for what.
pub struct Gift {
    /// What was shown.
    pub source: Source,
    /// The scopes that the new token is narrowed to; `None`: not narrowed.
    pub scopes: Option<Vec<String>>,
    /// Whether a refresh token is wanted. It is given where the policy lets sign-ins of this issuer last.
    pub lasting: bool,
    /// What the device says that it is which the token is for.
    pub device: Option<String>,
    /// When everything that is given ends at the latest, in Unix milliseconds; `None`: the source does not say.
    pub until_ms: Option<u64>,
}

/// Control's issuer, as the policy has it.
pub struct OwnIssuer {
    /// Its name.
    pub name: String,
    /// Who shall accept its tokens.
    audience: String,
    /// The longest life, in seconds.
    longest: u64,
}

/// Control's issuer, where the policy has it.
pub fn own_issuer(control: &Control) -> Result<OwnIssuer, Refused> {
    let bundle = control.bundle.borrow();
    let own = bundle.policy.issuers.iter().find(|own| own.keys == KeySource::Control);
    let own = own.filter(|own| own.issuer == control.issuer.url).ok_or_else(|| {
        Refused::new(
            "invalid_request",
            format!(
                "tokens cannot be exchanged here: the policy has no issuer with `keys: control` and `issuer: {}`",
                control.issuer.url
            ),
        )
    })?;
    Ok(OwnIssuer {
        name: own.name.clone(),
        audience: own.audiences.first().cloned().unwrap_or_default(),
        longest: own.max_lifetime.as_seconds(),
    })
}

/// How long what is given for a source lives.
pub struct Life {
    own: OwnIssuer,
    /// One token, in seconds.
    pub token: u64,
    /// The sign-in, in which one token follows another, in milliseconds; `None`: it is one token and no more.
    pub sign_in: Option<u64>,
}

/// How long what would be given for a source lives.
///
/// # Errors
/// Why nothing would be given.
pub fn life(control: &Control, source: &Source, lasting: bool, now_ms: u64) -> Result<Life, Refused> {
    let own = own_issuer(control)?;
    if source.from.tokens.len() > MAX_LINEAGE {
        let why = format!("the token comes from {MAX_LINEAGE} others already; exchange an earlier one");
        return Err(Refused::new("invalid_grant", why));
    }
    let sign_in = {
        let bundle = control.bundle.borrow();
        let may = lasting && !source.is_own && source.from.tokens.len() < MAX_LINEAGE;
        longest(&bundle.policy, &source.who.issuer).filter(|_| may)
    };
    let left = source.expires_ms.saturating_sub(now_ms) / 1000;
    let token = if source.is_own { left } else { LIFETIME };
    let token = token.min(own.longest).min(sign_in.map_or(u64::MAX, |ms| ms / 1000));
    Ok(Life { own, token, sign_in })
}

/// A token that is made and not yet given, with what the log will say of it.
struct Made {
    answer: Value,
    entry: Entry,
}

/// Gives a token for what was shown.
pub async fn give(control: &Control, gift: Gift, now_ms: u64) -> Result<Value, Refused> {
    let Gift { mut source, scopes, lasting, device, until_ms } = gift;
    let Life { own, token, sign_in } = life(control, &source, lasting, now_ms)?;
    let until = until_ms.map_or(u64::MAX, |until_ms| until_ms.saturating_sub(now_ms));
    let lifetime = token.min(until / 1000);
    let Some(lasts) = sign_in.map(|sign_in| sign_in.min(until)) else {
        let made = make(control, &own, &source, scopes, device, lifetime, now_ms)?;
        let written =
            control.store.add(Addition { entries: vec![made.entry], ..Addition::default() }, now_ms).await;
        written.map_err(unable)?;
        return Ok(made.answer);
    };
    let id = token_id().map_err(unable)?;
    source.from.tokens.push(TokenId(own.name.clone(), id.clone()));
    let family = Family { id, source, created_ms: now_ms, ends_ms: now_ms.saturating_add(lasts) };
    let made = make(control, &own, &family.source, scopes, device, lifetime, now_ms)?;
    let secret = Secret::draw(PREFIX).map_err(unable)?;
    control.store.open_family(family, secret.hash(), made.entry).await.map_err(unable)?;
    Ok(with_refresh(made.answer, &secret))
}

/// Gives the next token of a sign-in that lasts, and the next refresh token in the place of the one that was shown.
pub async fn renew(
    control: &Control,
    family: &Family,
    scopes: Option<Vec<String>>,
    shown: String,
    now_ms: u64,
) -> Result<(Rotated, Value), Refused> {
    let own = own_issuer(control)?;
    let lifetime = LIFETIME.min(family.ends_ms.saturating_sub(now_ms) / 1000);
    let made = make(control, &own, &family.source, scopes, None, lifetime, now_ms)?;
    let secret = Secret::draw(PREFIX).map_err(unable)?;
    let rotation = Rotation { shown, next: secret.hash(), entry: made.entry, now_ms };
    let rotated = control.store.rotate(rotation).await.map_err(unable)?;
    Ok((rotated, with_refresh(made.answer, &secret)))
}

fn make(
    control: &Control,
    own: &OwnIssuer,
    source: &Source,
    scopes: Option<Vec<String>>,
    device: Option<String>,
    lifetime: u64,
    now_ms: u64,
) -> Result<Made, Refused> {
    let lifetime = lifetime.min(own.longest);
    let Lineage { tokens, issued_ms } = source.from.clone();
    let claims = Claims {
        subject: source.who.subject.clone(),
        groups: source.who.groups.clone(),
        actor: source.actor.clone(),
        scopes: scopes.clone(),
        audience: own.audience.clone(),
        via: Some(source.who.issuer.clone()),
        from: Some(Lineage { tokens: tokens.clone(), issued_ms }),
        lifetime,
    };
    let minted = control.issuer.mint(&claims, now_ms).map_err(unable)?;
    let event = TokenEvent {
        id: minted.id,
        from: tokens,
        at_ms: now_ms,
        who: source.who.clone(),
        actor: source.actor.clone(),
        scopes: scopes.clone(),
        device,
        expires_ms: now_ms.saturating_add(lifetime.saturating_mul(1000)),
    };
    let mut answer = json!({"access_token": minted.token, "token_type": "Bearer", "expires_in": lifetime});
    if let Some(members) = answer.as_object_mut() {
        members.extend(scopes.map(|scopes| ("scope".to_owned(), scopes.join(" ").into())));
    }
    Ok(Made { answer, entry: Entry::Token(Box::new(event)) })
}

fn with_refresh(mut answer: Value, secret: &Secret) -> Value {
    if let Some(members) = answer.as_object_mut() {
        members.insert("refresh_token".to_owned(), secret.expose().into());
    }
    answer
}
