//! One element of an end-to-end encrypted notification: a device, and what it is sent.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{device::Provider, e2ee_device::DeviceName};

/// What a chat server asks us to send to one device. We cannot read it; it has no `Debug` all the same.
pub struct EncryptedPush<'a> {
    /// The device.
    pub device: DeviceName<'a>,
    /// What it is sent, in the form of one kind of phone.
    pub content: EncryptedContent<'a>,
}

/// The content of a push, in the form of one kind of phone.
pub enum EncryptedContent<'a> {
    /// For Apple's phones.
    Apns {
        /// The body, which passes through; an object.
        payload: &'a RawValue,
        /// When it shall arrive.
        priority: ApnsPriority,
        /// What kind of push it is.
        push_type: PushType,
    },
    /// For Android phones.
    Fcm {
        /// What names the key of the encryption, with its value as a decimal text.
        key: (&'static str, i64),
        /// The ciphertext, base64.
        encrypted_data: Cow<'a, str>,
        /// When it shall arrive.
        priority: FcmPriority,
    },
}

impl EncryptedContent<'_> {
    /// The push service it is made for.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::Apns { .. } => Provider::Apns,
            Self::Fcm { .. } => Provider::Fcm,
        }
    }
}

/// Apple's `apns-priority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApnsPriority {
    /// 10: at once.
    Immediate,
    /// 5: when it suits the phone's battery.
    Considerate,
    /// 1: the battery counts above all, and the phone is not woken.
    Lowest,
}

impl ApnsPriority {
    /// The priority with this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            10 => Some(Self::Immediate),
            5 => Some(Self::Considerate),
            1 => Some(Self::Lowest),
            _ => None,
        }
    }

    /// Its number, as the header has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "10",
            Self::Considerate => "5",
            Self::Lowest => "1",
        }
    }
}

/// Google's `android.priority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FcmPriority {
    /// At once.
    High,
    /// When the phone is awake.
    Normal,
}

impl FcmPriority {
    /// The priority with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "high" => Some(Self::High),
            "normal" => Some(Self::Normal),
            _ => None,
        }
    }

    /// Google's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
        }
    }
}

/// Makes the closed set of push types.
macro_rules! push_types {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+) => {
        /// Apple's `apns-push-type`:
        /// <https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns>.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum PushType {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl PushType {
            /// The type with this name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Apple's word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

push_types! {
    /// Something to see or hear.
    Alert = "alert",
    /// Work for the app alone.
    Background = "background",
    /// News for a complication of a watch.
    Complication = "complication",
    /// A control is to be read anew.
    Controls = "controls",
    /// Files changed.
    FileProvider = "fileprovider",
    /// News for a live activity.
    LiveActivity = "liveactivity",
    /// Asks where the phone is.
    Location = "location",
    /// Asks a managed device to call its manager.
    Mdm = "mdm",
    /// News for a walkie-talkie.
    PushToTalk = "pushtotalk",
    /// A call comes in.
    Voip = "voip",
    /// A widget is to be read anew.
    Widgets = "widgets",
}
