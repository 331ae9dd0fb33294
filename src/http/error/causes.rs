//! Which answer a failure of the work becomes; a failure nobody else logs is logged here.

use super::ApiError;
use crate::{
    dispatch::DispatchError,
    domain::device::DeviceTokenError,
    providers::FcmMessageError,
    push_registration::PushRegistrationError,
    registration::RegistrationError,
    registry::{RegistryError, UploadError},
    transfer::TransferError,
};

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        tracing::error!(event = "database.failed", %error, "a request could not be served");
        Self::Unavailable
    }
}

impl From<RegistrationError> for ApiError {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Registry(error) => error.into(),
            other => Self::Registration(other),
        }
    }
}

impl From<TransferError> for ApiError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::AddressLimit(wait) => Self::TooManyRequests(wait),
            TransferError::Busy => Self::Overloaded,
            TransferError::Registry(error) => error.into(),
            other => Self::Transfer(other),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Duplicate => Self::invalid("Duplicate registration detected."),
            UploadError::Registry(error) => error.into(),
        }
    }
}

impl From<DispatchError> for ApiError {
    fn from(error: DispatchError) -> Self {
        match error {
            DispatchError::Registry(error) => error.into(),
            DispatchError::UnknownDevice => Self::UnknownDevice,
            DispatchError::Overloaded(_) => Self::Overloaded,
            DispatchError::TokenId => Self::invalid("`token_id` is not Base64 encoded"),
            DispatchError::NothingToSend => {
                Self::invalid("request[\"apns_payload\"][\"custom\"] is not a dict")
            }
            DispatchError::Message(FcmMessageError::Priority(repr)) => {
                Self::Invalid(format!("Invalid GCM option to bouncer: priority {repr}").into())
            }
            DispatchError::Message(FcmMessageError::Options(json)) => {
                Self::Invalid(format!("Invalid GCM options to bouncer: {json}").into())
            }
            DispatchError::Message(FcmMessageError::Value(_)) => Self::MalformedJson,
        }
    }
}

impl From<PushRegistrationError> for ApiError {
    fn from(error: PushRegistrationError) -> Self {
        match error {
            PushRegistrationError::UnknownKey => Self::UnknownPublicKey,
            PushRegistrationError::Invalid => Self::invalid("Invalid encrypted_push_registration"),
            PushRegistrationError::Expired => Self::RequestExpired,
            // A 4xx would be stored with the phone for good.
            PushRegistrationError::Key(error) => {
                tracing::error!(event = "registration_key.sealed", %error, "a phone could not be registered");
                Self::Unavailable
            }
            PushRegistrationError::Registry(error) => error.into(),
        }
    }
}

impl From<DeviceTokenError> for ApiError {
    fn from(error: DeviceTokenError) -> Self {
        Self::invalid(match error {
            DeviceTokenError::Length => "Empty or invalid length token",
            DeviceTokenError::NotHexadecimal => "Invalid APNS token",
            DeviceTokenError::Nul => "token contains an invalid character",
        })
    }
}
