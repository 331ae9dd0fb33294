//! The body of a request, read within a time and a size.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use super::ApiError;
use crate::{
    app::memory_of_body,
    shares::{Hold, Memory},
};

/// So much of a body that is too long is read and thrown away, so that the caller gets to read why.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024 * 1024;

/// The same of a body whose sender is refused for another reason, and for how long.
const MAX_DISCARDED_AFTER_REFUSAL: u64 = 1024 * 1024;
const DISCARD_PATIENCE: Duration = Duration::from_secs(2);

/// Memory for a body is taken as it comes, beyond this size in steps of the same size: what was announced and never
/// comes costs nobody anything.
pub(super) const SMALL_BODY_BYTES: usize = 64 * 1024;

/// A body that was read, and its place in memory.
pub(super) struct ReceivedBody {
    pub(super) bytes: Bytes,
    /// Given back when the request has been worked on.
    pub(super) place: Hold<i64>,
}

/// A body that is being read.
pub(super) struct IncomingBody {
    body: Body,
    read: BytesMut,
    is_complete: bool,
    limit: usize,
    deadline: Instant,
    announced: Option<u64>,
    expects_continue: bool,
}

impl IncomingBody {
    pub(super) fn new(body: Body, headers: &HeaderMap, limit: usize, deadline: Instant) -> Self {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse().ok());
        Self {
            body,
            read: BytesMut::new(),
            is_complete: false,
            limit,
            deadline,
            announced,
            expects_continue: headers.contains_key(header::EXPECT),
        }
    }

    /// What is there of the body once at least `bytes` have come, or all of it, or time is over.
    pub(super) async fn beginning(
        &mut self,
        bytes: usize,
        until: Instant,
    ) -> Result<&[u8], ApiError> {
        while !self.is_complete && self.read.len() < bytes {
            match timeout_at(until, self.read_more()).await {
                Ok(read) => read?,
                Err(_) => break,
            }
        }
        Ok(&self.read)
    }

    /// Reads a little more and throws it away.
    pub(super) async fn discard_some(&mut self) {
        let until = Instant::now() + DISCARD_PATIENCE;
        self.discard(MAX_DISCARDED_AFTER_REFUSAL, until).await;
    }

    /// All of the body, with a place of this server.
    pub(super) async fn all(
        &mut self,
        memory: &Arc<Memory<i64>>,
        server: i64,
    ) -> Result<ReceivedBody, ApiError> {
        let mut place = memory.hold(server);
        if self.read_all(Some(&mut place)).await? {
            return Ok(ReceivedBody { bytes: self.take(), place });
        }
        // What is thrown away needs none.
        drop(place);
        Err(self.too_large().await)
    }

    /// All of a body whose limit is so small that it needs no place.
    pub(super) async fn all_of_small(&mut self) -> Result<Bytes, ApiError> {
        self.limit = self.limit.min(SMALL_BODY_BYTES);
        match self.read_all(None).await? {
            true => Ok(self.take()),
            false => Err(self.too_large().await),
        }
    }

    fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.read).freeze()
    }

    /// Whether all of it is there; else it is too large.
    async fn read_all(&mut self, mut place: Option<&mut Hold<i64>>) -> Result<bool, ApiError> {
        if self.announced.is_some_and(|announced| announced > self.limit as u64) {
            return Ok(false);
        }
        while self.read.len() <= self.limit {
            if let Some(place) = &mut place {
                let bytes = match self.read.len() {
                    small @ ..=SMALL_BODY_BYTES => small,
                    large => large.next_multiple_of(SMALL_BODY_BYTES),
                };
                let grown = place.grow_to(memory_of_body(bytes.min(self.limit)));
                timeout_at(self.deadline, grown).await.map_err(|_| ApiError::Overloaded)?;
            }
            if self.is_complete {
                return Ok(true);
            }
            self.read_more().await?;
        }
        Ok(false)
    }

    async fn read_more(&mut self) -> Result<(), ApiError> {
        // Whoever asked first has been told to send.
        self.expects_continue = false;
        match timeout_at(self.deadline, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.read.extend_from_slice(&data);
                }
                Ok(())
            }
            Ok(Some(Err(_))) => {
                self.is_complete = true;
                Err(ApiError::BodyIncomplete)
            }
            Ok(None) => {
                self.is_complete = true;
                Ok(())
            }
            Err(_) => {
                // Nothing more is expected, nor thrown away.
                self.is_complete = true;
                Err(ApiError::BodyTimeout)
            }
        }
    }

    /// The refusal, after the rest was thrown away: who is still sending would not read it.
    async fn too_large(&mut self) -> ApiError {
        if self.announced.is_none_or(|bytes| bytes <= MAX_DISCARDED_BYTES) {
            self.discard(MAX_DISCARDED_BYTES, self.deadline).await;
        }
        ApiError::PayloadTooLarge
    }

    async fn discard(&mut self, bytes: u64, until: Instant) {
        self.read = BytesMut::new();
        // Who asks first whether to send has sent nothing yet.
        if self.is_complete || self.expects_continue {
            return;
        }
        let mut discarded = 0;
        while let Ok(Some(Ok(frame))) = timeout_at(until, self.body.frame()).await {
            discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
            if discarded > bytes {
                return;
            }
        }
        self.is_complete = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_bodies_take_memory_too() {
        // A hundred kibibytes are free, 25 for each server; there is one exit.
        let memory = Memory::new(120, 20);
        let read = async |server| {
            let deadline = Instant::now() + Duration::from_millis(50);
            let body = Body::from(vec![b'x'; 10 * 1024]);
            let mut body = IncomingBody::new(body, &HeaderMap::new(), SMALL_BODY_BYTES, deadline);
            body.all(&memory, server).await
        };
        let (one, other) = (1, 2);
        let received = (read(one).await, read(one).await);
        assert!(received.0.is_ok() && received.1.is_ok());
        assert!(matches!(read(one).await, Err(ApiError::Overloaded)), "it has its share");
        assert!(read(other).await.is_ok());
        drop(received);
        assert!(read(one).await.is_ok());
    }
}
