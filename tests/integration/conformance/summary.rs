//! Counts the compared cases and tells every mismatch, not only the first.

use super::{
    allowances::Allowances,
    comparison::differences,
    recording::{Case, Expected},
    replay::Outcome,
};
use crate::world::Push;

/// What became of the cases so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    equal: usize,
    deviating: usize,
    mismatches: Vec<String>,
}

impl Summary {
    /// Judges one case.
    pub(crate) fn note(
        &mut self,
        case: &Case,
        recorded: &Expected,
        allowances: &Allowances,
        outcome: &Outcome,
    ) {
        let deviating = allowances.expected(&case.id, recorded);
        let differs = |from: &Expected| match outcome {
            Ok(observed) => differences(from, observed),
            Err(error) => vec![error.clone()],
        };
        let lines = differs(deviating.unwrap_or(recorded));
        if deviating.is_some() && differs(recorded).is_empty() {
            let told = "is as recorded: the difference that is named is not there".to_owned();
            self.mismatch(case, &[vec![told], lines].concat());
        } else if !lines.is_empty() {
            self.mismatch(case, &lines);
        } else if deviating.is_some() {
            self.deviating += 1;
        } else {
            self.equal += 1;
        }
    }

    fn mismatch(&mut self, case: &Case, lines: &[String]) {
        let path: String = case.request.path.chars().take(80).collect();
        let mut text = format!("{}  ({} {path})", case.id, case.request.method);
        for line in lines {
            text.push_str("\n    ");
            text.push_str(line);
        }
        self.mismatches.push(text);
    }

    /// Prints the counts; fails the test when anything did not match or pushes came too late.
    #[expect(clippy::print_stdout, reason = "the counts are for the person who runs the test")]
    pub(crate) fn finish(mut self, left: &[Push]) {
        for push in left {
            self.mismatches.push(format!("push {:?} {}: after the end", push.kind, push.token));
        }
        let Self { equal, deviating, mismatches } = self;
        println!("conformance: {equal} equal, {deviating} deviating, {} wrong", mismatches.len());
        assert!(mismatches.is_empty(), "\n{}\n", mismatches.join("\n"));
    }
}
