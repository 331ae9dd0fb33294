//! Whether an e-mail address can be that of a server's administrator.

use crate::{
    config::EmailCheck,
    domain::{
        disposable_domains,
        email::{EmailAddress, EmailDomain, LONGEST_ADDRESS},
    },
    names::{MailAnswer, MailRule, Names},
};

/// Why an e-mail address cannot be the administrator's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailRefusal {
    /// It is not written as an address is.
    #[error("not an e-mail address")]
    Syntax,
    /// It belongs to a service for throw-away addresses.
    #[error("a throw-away address")]
    Disposable,
    /// It is the address of an example.
    #[error("an example")]
    Example,
    /// Its domain takes no mail.
    #[error("a domain without mail")]
    NoMail(String),
    /// Its domain does not exist.
    #[error("no such domain")]
    NoDomain(String),
}

/// Checks the address as far as the operator wants it checked.
///
/// # Errors
///
/// When it cannot be the administrator's; a name server that fails is no reason.
pub(super) async fn check(
    text: &str,
    email_check: EmailCheck,
    names: &Names,
) -> Result<(), EmailRefusal> {
    if text.contains('\0') || text.chars().count() > LONGEST_ADDRESS {
        return Err(EmailRefusal::Syntax);
    }
    if email_check == EmailCheck::Off {
        return Ok(());
    }
    let address = EmailAddress::parse(text).map_err(|_| EmailRefusal::Syntax)?;
    let domain = match address.domain() {
        EmailDomain::Name(domain) => domain,
        // There is no name to look up.
        EmailDomain::Literal(_) => return Ok(()),
    };
    if disposable_domains::is_disposable(domain) {
        return Err(EmailRefusal::Disposable);
    }
    if domain == "example.com" {
        return Err(EmailRefusal::Example);
    }
    let rule = match email_check {
        EmailCheck::Mx => MailRule::Mx,
        EmailCheck::MxOrA => MailRule::MxOrAddress,
        EmailCheck::Syntax | EmailCheck::Off => return Ok(()),
    };
    match names.mail_exists(domain, rule).await {
        // A name server that fails is not the applicant's fault.
        MailAnswer::Accepts | MailAnswer::Unknown => Ok(()),
        MailAnswer::NoMx => Err(EmailRefusal::NoMail(domain.clone())),
        MailAnswer::DoesNotExist => Err(EmailRefusal::NoDomain(domain.clone())),
    }
}
