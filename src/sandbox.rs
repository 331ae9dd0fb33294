//! Apple's and Google's push services as real servers on loopback, which keep the real ones' rules.
//!
//! They are the test seam of the whole program: the bouncer is pointed at them by its configuration
//! alone (address and trusted root), and speaks the same HTTP/2 over TLS to them as to the real
//! services.
//!
//! What a device answers is written in its token. A registration token of Google's carries one of
//! these words anywhere, a device token of Apple's the hexadecimal digits of its ASCII bytes:
//!
//! | Word | Apple | Google |
//! |---|---|---|
//! | `dead` | 410 `Unregistered`, with the time of the request | 404 `UNREGISTERED` |
//! | `badtok` | 400 `BadDeviceToken` | 400 `INVALID_ARGUMENT` |
//! | `nottopic` | 400 `DeviceTokenNotForTopic` | 403 `SENDER_ID_MISMATCH` |
//! | `toomany` | 429 `TooManyRequests` | 429 `QUOTA_EXCEEDED` |
//! | `oops` | 500 `InternalServerError` | 500 `INTERNAL` |
//! | `unavail` | 503 `ServiceUnavailable` | 503 `UNAVAILABLE` |
//! | `slow` | accepted after 2 s | accepted after 2 s |
//! | `reason-<Name>-` | that reason of Apple's table | that error code of Google's table |
//!
//! Every other token is accepted. A name of neither table is answered as it stands with status 400,
//! as a reason that the services may add one day.
//!
//! `badtok` is answered as in Google's second example (the registration token "is not a valid FCM
//! registration token", with an `FcmError` alone), `reason-INVALID_ARGUMENT-` with `fieldViolations`
//! that name `message.token` besides. A token of Google's that ends in `@` and the id of a project,
//! or has anything but letters, digits and hyphens after that, belongs to that project: sent to
//! another one, it is answered with `SENDER_ID_MISMATCH`.
//!
//! What they do wrong on purpose is set by [`faults`], or from outside by the port of [`control`].
//!
//! [`chat_host`] is the other side of a transfer: a self-hosted server that the bouncer calls.

pub mod apns;
pub mod authority;
pub mod chat_host;
pub mod control;
pub mod counters;
pub mod fake;
pub mod faults;
pub mod fcm;
pub mod phone;
pub mod remote_server;
pub mod surroundings;

mod acceptor;
mod connection;
mod json_web_token;
mod marker;
mod request_log;
mod settings_rewriter;
#[cfg(test)]
mod test_client;
