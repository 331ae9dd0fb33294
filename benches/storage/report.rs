//! What was measured, beside what is demanded.

use serde_json::{Value, json};

/// A measured number.
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    demanded: Option<Demand>,
}

/// What is demanded of a number.
#[derive(Clone, Copy)]
pub(crate) enum Demand {
    Under(f64),
    AtLeast(f64),
}

impl Demand {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Under(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// All numbers of a run.
#[derive(Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// A number to know.
    pub(crate) fn note(&mut self, name: &str, value: f64, unit: &'static str) {
        self.add(name, value, unit, None);
    }

    /// A number that something is demanded of.
    pub(crate) fn judge(&mut self, name: &str, value: f64, unit: &'static str, demand: Demand) {
        self.add(name, value, unit, Some(demand));
    }

    fn add(&mut self, name: &str, value: f64, unit: &'static str, demanded: Option<Demand>) {
        let figure = Figure { name: name.to_owned(), value, unit, demanded };
        progress(&figure.line());
        self.figures.push(figure);
    }

    pub(crate) fn is_met(&self) -> bool {
        self.figures.iter().all(Figure::is_met)
    }

    /// For people, a line each; the demanded ones again at the end.
    pub(crate) fn text(&self) -> String {
        let (judged, noted): (Vec<_>, Vec<_>) =
            self.figures.iter().partition(|figure| figure.demanded.is_some());
        let lines: Vec<String> = noted.into_iter().chain(judged).map(Figure::line).collect();
        lines.join("\n")
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        json!({ "met": self.is_met(), "figures": figures })
    }
}

impl Figure {
    fn is_met(&self) -> bool {
        self.demanded.is_none_or(|demanded| demanded.is_met(self.value))
    }

    fn line(&self) -> String {
        let Self { name, value, unit, demanded } = self;
        let number =
            if value.abs() < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        let verdict = match demanded {
            None => String::new(),
            Some(demand) => {
                let verdict = if self.is_met() { "met" } else { "MISSED" };
                match demand {
                    Demand::Under(limit) => format!("  under {limit} {unit}: {verdict}"),
                    Demand::AtLeast(limit) => format!("  {limit} {unit} or more: {verdict}"),
                }
            }
        };
        format!("{name:<62} {number:>11} {unit}{verdict}")
    }

    fn json(&self) -> Value {
        let mut figure = json!({ "name": self.name, "value": self.value, "unit": self.unit });
        if let Some(demanded) = self.demanded {
            let (bound, limit) = match demanded {
                Demand::Under(limit) => ("under", limit),
                Demand::AtLeast(limit) => ("at_least", limit),
            };
            figure[bound] = limit.into();
            figure["met"] = self.is_met().into();
        }
        figure
    }
}

/// Tells whoever waits what goes on; the report itself stands alone in the output.
#[expect(clippy::print_stderr, reason = "a run takes minutes")]
pub(crate) fn progress(line: &str) {
    eprintln!("{line}");
}

/// The middle one of some numbers.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    quantile(numbers, 0.5)
}

/// The number that this share of all is not above.
pub(crate) fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it lies between nothing and the number of samples"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}
