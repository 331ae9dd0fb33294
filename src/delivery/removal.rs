//! A removal and its message, which meet where pushes wait.
//!
//! A message that was read before it could be sent is not sent any more; and its removal has nothing to take down
//! where no attempt of the message can have reached the device. Otherwise both go, in order.

use std::collections::VecDeque;

use super::parcel::Parcel;
use crate::domain::notification::Content;

/// Takes out of a lane what the new parcel makes needless; and whether the new one is needless itself.
#[expect(clippy::vec_box, reason = "a parcel is moved often and is not small")]
pub(super) fn meet(lane: &mut VecDeque<Box<Parcel>>, new: &Parcel) -> (Vec<Box<Parcel>>, bool) {
    let Content::Removal(read) = &new.about().content else { return (Vec::new(), false) };
    // A message may wait twice, and one of the two have arrived.
    let may_have_arrived = |message: &i64| {
        let mut waiting = lane.iter();
        waiting.any(|waiting| {
            waiting.number < new.number
                && waiting.may_have_arrived.is_some()
                && matches!(&waiting.about().content, Content::Message(id) if id == message)
        })
    };
    let arrived: Vec<i64> = read.iter().copied().filter(may_have_arrived).collect();
    let mut to_take_down = read.to_vec();
    let mut superseded = Vec::new();
    let mut index = 0;
    while let Some(waiting) = lane.get(index) {
        match &waiting.about().content {
            // One that came after it is a new one.
            Content::Message(id)
                if waiting.number < new.number && read.binary_search(id).is_ok() =>
            {
                if !arrived.contains(id) {
                    to_take_down.retain(|other| other != id);
                }
                superseded.extend(lane.remove(index));
            }
            _ => index += 1,
        }
    }
    (superseded, to_take_down.is_empty() && !read.is_empty())
}

/// Whether a message that is to be tried again was read during its attempt: its removal waits already.
pub(super) fn is_read(lane: &VecDeque<Box<Parcel>>, message: &Parcel) -> bool {
    let Content::Message(id) = &message.about().content else { return false };
    lane.iter().any(|waiting| {
        waiting.number > message.number
            && matches!(&waiting.about().content, Content::Removal(read) if read.binary_search(id).is_ok())
    })
}
