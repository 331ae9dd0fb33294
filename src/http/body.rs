//! The body of a request, read within a time and a size.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::ApiError;

/// So much of a body that is too long is read and thrown away, so that the caller gets to read why.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024 * 1024;

/// The same of a body whose sender is refused for another reason, and for how long.
const MAX_DISCARDED_AFTER_REFUSAL: u64 = 1024 * 1024;
const DISCARD_PATIENCE: Duration = Duration::from_secs(2);

/// A body up to this size needs no place among the large ones.
const SMALL_BODY_BYTES: usize = 64 * 1024;

/// A body that was read, and its place in memory.
pub(super) struct ReceivedBody {
    pub(super) bytes: Bytes,
    /// Given back when the request has been worked on.
    pub(super) place: Option<OwnedSemaphorePermit>,
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
    /// Kibibytes for large bodies.
    memory: Arc<Semaphore>,
    /// So many there are in all.
    memory_kibibytes: usize,
}

impl IncomingBody {
    pub(super) fn new(
        body: Body,
        headers: &HeaderMap,
        limit: usize,
        deadline: Instant,
        (memory, memory_kibibytes): (&Arc<Semaphore>, usize),
    ) -> Self {
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
            memory: Arc::clone(memory),
            memory_kibibytes,
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

    /// All of the body.
    pub(super) async fn all(&mut self) -> Result<ReceivedBody, ApiError> {
        if self.announced.is_some_and(|announced| announced > self.limit as u64) {
            return Err(self.too_large().await);
        }
        let mut place = None;
        while !self.is_complete {
            if place.is_none() && self.is_large() {
                place = Some(self.place().await?);
            }
            self.read_more().await?;
            if self.read.len() > self.limit {
                return Err(self.too_large().await);
            }
        }
        Ok(ReceivedBody { bytes: std::mem::take(&mut self.read).freeze(), place })
    }

    fn is_large(&self) -> bool {
        self.read.len() > SMALL_BODY_BYTES
            || self.announced.is_some_and(|announced| announced > SMALL_BODY_BYTES as u64)
    }

    /// A place for a large body: for what was announced, or for the largest there may be.
    async fn place(&mut self) -> Result<OwnedSemaphorePermit, ApiError> {
        let announced = self.announced.and_then(|bytes| usize::try_from(bytes).ok());
        // Twice: a form is there as it came and as it was decoded.
        let kibibytes = 2 * announced.unwrap_or(self.limit).min(self.limit).div_ceil(1024);
        let kibibytes = kibibytes.min(self.memory_kibibytes);
        let kibibytes = u32::try_from(kibibytes).unwrap_or(u32::MAX);
        let place = Arc::clone(&self.memory).acquire_many_owned(kibibytes);
        match timeout_at(self.deadline, place).await {
            Ok(place) => Ok(place.expect("it is never closed")),
            Err(_) => Err(ApiError::Overloaded),
        }
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
