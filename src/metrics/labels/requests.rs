//! Labels of the program, of requests, limits and registrations.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::{label_set, label_values};

label_set! {
    /// Labels of the build.
    BuildLabels {
        /// The program's version.
        version: String,
    }
}

label_set! {
    /// Labels of an answered request.
    RequestLabels {
        /// The path of the table it matched, or `unmatched`.
        route: &'static str,
        /// The method, or `other`.
        method: &'static str,
        /// The status.
        code: u16,
    }
}

label_set! {
    /// Labels of a request's duration.
    RequestDurationLabels {
        /// The path of the table it matched, or `unmatched`.
        route: &'static str,
    }
}

label_values! {
    /// Why a request was refused.
    RejectedReason {
        /// No such organization id.
        UnknownServer = "unknown_server",
        /// The key is not this server's.
        BadKey = "bad_key",
        /// The registration was deactivated.
        Deactivated = "deactivated",
        /// More than 1000 requests in a minute.
        RateLimited = "rate_limited",
        /// Too many failures from one address, or for one organization.
        AddressLimited = "address_limited",
        /// Too many transfers of registrations in all.
        TransferLimited = "transfer_limited",
        /// The plan does not allow pushes.
        Plan = "plan",
        /// The body is not what the endpoint takes.
        InvalidPayload = "invalid_payload",
        /// The body or the path is too long.
        TooLarge = "too_large",
        /// The realm belongs to another server.
        RealmMismatch = "realm_mismatch",
        /// Nobody registered the realm, and the endpoint needs one.
        UnknownRealm = "unknown_realm",
        /// A phone sealed its registration for a key that is none of ours: its app is another build.
        UnknownPublicKey = "unknown_public_key",
        /// As many requests as allowed were under way.
        Overloaded = "overloaded",
    }
}

label_set! {
    /// Labels of a refusal.
    RejectedLabels {
        /// Why.
        reason: RejectedReason,
    }
}

label_values! {
    /// What became of a registration.
    RegistrationResult {
        /// A new server.
        Created = "created",
        /// A known server.
        Updated = "updated",
        /// A known server with a new key.
        Rotated = "rotated",
        /// A known server whose new installation proved that it holds the host name.
        Transferred = "transferred",
        /// Nothing was registered, or taken over.
        Rejected = "rejected",
    }
}

label_set! {
    /// Labels of a registration.
    RegistrationLabels {
        /// What became of it.
        result: RegistrationResult,
    }
}

label_values! {
    /// The limits.
    RateLimitName {
        /// 1000 requests a minute and server.
        Server = "server",
        /// Unauthenticated requests by address.
        Ip = "ip",
        /// Failed authentication by address or organization.
        Login = "login",
        /// Transfers of registrations, by address and in all.
        Transfer = "transfer",
    }
}

label_values! {
    /// What a limit decided.
    RateLimitDecision {
        /// Go on.
        Allowed = "allowed",
        /// Go on a little later.
        Delayed = "delayed",
        /// Refused.
        Rejected = "rejected",
    }
}

label_set! {
    /// Labels of a limit's decision.
    RateLimitLabels {
        /// Which limit.
        limit: RateLimitName,
        /// What it decided.
        decision: RateLimitDecision,
    }
}
