//! How far an import is: a bar on a terminal, else a line now and then.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use crate::{
    cli::{output::Output, progress::Progress},
    import::Step,
};

/// The bar is drawn so often at most.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

const WIDTH: usize = 28;

/// What an import says between its beginning and its end.
pub(super) struct Bar {
    is_terminal: bool,
    lines: Progress,
    drawn: Option<Instant>,
    /// What is being read, and since when.
    table: Option<(&'static str, Instant)>,
}

impl Bar {
    pub(super) fn new(output: Output) -> Self {
        Self {
            is_terminal: output.is_for_a_person() && io::stderr().is_terminal(),
            lines: Progress::new(output),
            drawn: None,
            table: None,
        }
    }

    /// Shows how far it is.
    pub(super) fn step(&mut self, step: Step) {
        let since = match self.table {
            Some((table, since)) if table == step.table => since,
            _ => {
                let now = Instant::now();
                self.table = Some((step.table, now));
                now
            }
        };
        if !self.is_terminal {
            return self.lines.tell(|| told(step, since.elapsed()));
        }
        let is_end = step.done == step.total;
        if !is_end && self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAWN_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = format!("\r\x1b[K{} {}", bar(step), told(step, since.elapsed()));
        // Nobody looks at it when it cannot be drawn.
        let mut talk = io::stderr();
        let _ = talk.write_all(line.as_bytes()).and_then(|()| talk.flush());
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn bar(step: Step) -> String {
    if step.total == 0 {
        return "…".to_owned();
    }
    let width = WIDTH as u64;
    let full = (step.done.saturating_mul(width) / step.total).min(width);
    let full = usize::try_from(full).unwrap_or(WIDTH);
    format!("{}{}", "━".repeat(full), "─".repeat(WIDTH - full))
}

fn told(step: Step, taken: Duration) -> String {
    let Step { table, done, total } = step;
    let a_second = u128::from(done) * 1000 / taken.as_millis().max(1);
    if total == 0 {
        return format!("{table}  {done}  {a_second}/s");
    }
    let left = u128::from(total.saturating_sub(done)) / a_second.max(1);
    let percent = done.saturating_mul(100) / total;
    format!("{table}  {percent} %  {done}/{total}  {a_second}/s  eta {left} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_tells_how_much_is_left() {
        let step = Step { table: "devices", done: 500, total: 2000 };
        let text = told(step, Duration::from_secs(5));
        assert_eq!(text, "devices  25 %  500/2000  100/s  eta 15 s");
        assert_eq!(bar(step).chars().filter(|part| *part == '━').count(), 7);
    }
}
