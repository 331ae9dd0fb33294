//! Frames as they come out of the writer.

use std::{borrow::Cow, io};

use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};

use super::{
    SettingsRewriter, Wire,
    frames::{
        ACKNOWLEDGEMENT, Frames, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, SETTINGS_FRAME,
    },
};

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 0], payload].concat()
}

fn setting(identifier: u8, value: u32) -> Vec<u8> {
    [&[0, identifier][..], &value.to_be_bytes()].concat()
}

fn settings(entries: &[(u8, u32)]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|&(id, value)| setting(id, value)).collect();
    frame(SETTINGS_FRAME, 0, &entries)
}

/// What a server may send: settings, their acknowledgement, headers and data that look like
/// settings, settings again.
fn session(first: &[(u8, u32)], later: &[(u8, u32)]) -> Vec<u8> {
    [
        settings(first),
        frame(SETTINGS_FRAME, ACKNOWLEDGEMENT, &[]),
        frame(1, 4, &setting(INITIAL_WINDOW_SIZE, 5)),
        frame(0, 1, &settings(&[(MAX_CONCURRENT_STREAMS, 5)])),
        settings(later),
        frame(0, 1, &[7; 300]),
    ]
    .concat()
}

const FIRST: [(u8, u32); 4] = [(1, 4096), (3, 0x00ff_ffff), (4, 65_535), (6, 16_384)];

#[test]
fn the_first_frame_keeps_its_window_and_later_ones_trade_it_for_the_limit() {
    let sent = session(&FIRST, &[(4, 65_535)]);
    let expected = session(&[(1, 4096), (3, 1), (4, 65_535), (6, 16_384)], &[(3, 1)]);
    assert_eq!(Frames::default().pass(&sent, 1), expected);
}

#[test]
fn frames_may_be_cut_at_every_byte() {
    let sent = session(&FIRST, &[(4, 65_535)]);
    let expected = Frames::default().pass(&sent, 0x0102_0304).into_owned();
    for cut in 0..=sent.len() {
        let mut frames = Frames::default();
        let (head, tail) = sent.split_at(cut);
        let parts = [frames.pass(head, 0x0102_0304), frames.pass(tail, 0x0102_0304)];
        assert_eq!(parts.concat(), expected, "cut at {cut}");
    }
}

#[test]
fn frames_without_settings_are_not_copied() {
    let mut frames = Frames::default();
    let _settings = frames.pass(&settings(&FIRST), 1).into_owned();
    assert!(matches!(frames.pass(&frame(0, 1, &[1, 2, 3]), 1), Cow::Borrowed(_)));
}

#[tokio::test]
async fn a_limit_changed_between_two_frames_shows_in_the_second() {
    let wire = Wire::new(1);
    let mut rewriter = SettingsRewriter::new(io::Cursor::new(Vec::new()), wire.clone());
    rewriter.write_all(&settings(&FIRST)).await.unwrap();
    wire.announce(1000);
    rewriter.write_all(&settings(&[(4, 65_535)])).await.unwrap();
    let written = rewriter.io.into_inner();
    assert!(written.ends_with(&settings(&[(3, 1000)])));
    assert!(!rewriter_is_vectored());
}

fn rewriter_is_vectored() -> bool {
    SettingsRewriter::new(io::Cursor::new(Vec::new()), Wire::default()).is_write_vectored()
}

#[tokio::test]
async fn an_injected_frame_waits_for_the_end_of_the_one_under_way() {
    let wire = Wire::new(1);
    let mut rewriter = SettingsRewriter::new(io::Cursor::new(Vec::new()), wire.clone());
    let (head, tail) = (&frame(0, 1, &[1; 20])[..15].to_vec(), &[1; 14]);
    let goaway = frame(7, 0, &[0; 8]);
    rewriter.write_all(head).await.unwrap();
    wire.inject(&goaway);
    rewriter.flush().await.unwrap();
    rewriter.write_all(tail).await.unwrap();
    rewriter.flush().await.unwrap();
    wire.close();
    rewriter.write_all(&frame(0, 1, &[2; 20])).await.unwrap();
    assert_eq!(rewriter.io.into_inner(), [frame(0, 1, &[1; 20]), goaway].concat());
}

#[tokio::test]
async fn a_writer_that_takes_one_byte_at_a_time_gets_the_same_bytes() {
    let sent = session(&FIRST, &[(4, 65_535)]);
    let (near, mut far) = tokio::io::duplex(1);
    let mut rewriter = SettingsRewriter::new(near, Wire::new(9));
    let expected = Frames::default().pass(&sent, 9).into_owned();
    let reader = tokio::spawn(async move {
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.unwrap();
        received
    });
    rewriter.write_all(&sent).await.unwrap();
    drop(rewriter);
    assert_eq!(reader.await.unwrap(), expected);
}
