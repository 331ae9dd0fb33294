//! Domains of throw-away mailboxes, which cannot be the address of a server's administrator.
//!
//! The list is kept up by
//! [others](https://github.com/disposable-email-domains/disposable-email-domains); the head of
//! `disposable_domains.txt` tells its version and licence, `disposable_domains.sh` renews it.

use std::cmp::Ordering;

/// Sorted lines in lower case, behind head lines that begin with `#`, which sorts before them.
const LIST: &str = include_str!("disposable_domains.txt");

/// Whether `domain`, in lower case, is on the list itself. A domain below a listed one is not.
///
/// The list is searched as it lies in the program: nothing is built at start.
#[must_use]
pub fn is_disposable(domain: &str) -> bool {
    if domain.starts_with('#') {
        return false;
    }
    let mut lines = LIST;
    while !lines.is_empty() {
        let bytes = lines.as_bytes();
        let middle = bytes.len() / 2;
        let start = bytes[..middle].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let length = bytes[start..].iter().position(|&byte| byte == b'\n');
        let end = length.map_or(bytes.len(), |length| start + length);
        match domain.cmp(&lines[start..end]) {
            Ordering::Less => lines = &lines[..start],
            Ordering::Equal => return true,
            Ordering::Greater => lines = lines.get(end + 1..).unwrap_or(""),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{LIST, is_disposable};

    fn domains() -> impl Iterator<Item = &'static str> {
        LIST.lines().skip_while(|line| line.starts_with('#'))
    }

    #[test]
    fn every_domain_of_the_list_is_found() {
        for domain in domains() {
            assert!(is_disposable(domain), "{domain}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        assert!(domains().is_sorted_by(|one, next| one < next));
        for domain in domains() {
            assert!(domain.bytes().all(|byte| byte.is_ascii_graphic()), "{domain}");
            assert_eq!(domain, domain.to_ascii_lowercase());
            assert!(domain.contains('.') && !domain.contains('#'), "{domain}");
        }
    }

    #[test]
    fn the_list_is_there() {
        assert!(domains().count() > 3000);
        assert!(is_disposable("mailinator.com"));
    }

    #[test]
    fn what_is_not_on_the_list_is_not_found() {
        for domain in [
            "",
            "#",
            "\n",
            "0",
            "a",
            "com",
            "selfhosted.test",
            "x.mailinator.com",
            "mailinator.co",
            "mailinator.com.",
            "mailinator.com\n",
            "zzzzzzzzzz.zz",
            "\u{fc}.test",
        ] {
            assert!(!is_disposable(domain), "{domain:?}");
        }
        assert!(!is_disposable(LIST.lines().next().unwrap()));
        for domain in domains() {
            assert!(!is_disposable(&format!("{domain}-")));
            assert!(!is_disposable(&domain[1..]) || domains().any(|other| other == &domain[1..]));
        }
    }
}
