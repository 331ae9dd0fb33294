//! Where the project differs from the recording on purpose.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::{
    comparison::normal_form,
    recording::{self, Case, Expected},
};
use crate::world::{Kind, Push};

/// Files of deviations; what the last of them says of a case counts.
pub(crate) struct Allowances {
    deviations: Vec<Deviation>,
    expected: HashMap<String, Expected>,
}

/// One line: for one case the full answer, or for several the changed topics.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    id: Option<String>,
    #[serde(default)]
    ids: Vec<String>,
    allowed_by: String,
    because: String,
    because_of: Option<String>,
    expect: Option<Answer>,
    #[serde(default)]
    upstream_topic: BTreeMap<String, String>,
}

/// The answer expected instead; what is absent here is as recorded, but `json` is not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    json: Option<Value>,
    headers: Option<BTreeMap<String, String>>,
    upstream: Option<Vec<ExpectedPush>>,
    volatile: Option<BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedPush {
    kind: Kind,
    token: String,
    topic: Option<String>,
    #[serde(default)]
    expires: bool,
    body: Value,
}

impl Allowances {
    /// Reads the files.
    pub(crate) fn load(files: &[&str]) -> Self {
        let deviations: Vec<Deviation> =
            files.iter().flat_map(|file| recording::lines(file)).collect();
        let recorded: HashMap<String, Expected> = recording::load()
            .iter()
            .map(|case| (case.id.clone(), Expected::recorded(case)))
            .collect();
        let mut expected = HashMap::new();
        for deviation in &deviations {
            for id in deviation.cases() {
                if let Some(recorded) = recorded.get(id) {
                    expected.insert(id.clone(), deviation.instead_of(recorded));
                }
            }
        }
        Self { deviations, expected }
    }

    /// What is expected of the case instead of `recorded`; none when it is not to deviate.
    pub(crate) fn expected<'a>(&'a self, id: &str, recorded: &'a Expected) -> Option<&'a Expected> {
        self.expected.get(id).filter(|expected| *expected != recorded)
    }

    /// Everything that is wrong with the files, whatever the server answers.
    pub(crate) fn faults(&self, compared: &[&Case], all: &[Case]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        let position = |id: &str| all.iter().position(|case| case.id == id);
        for deviation in &self.deviations {
            let ids: Vec<&String> = deviation.cases().collect();
            if deviation.id.is_some() != deviation.ids.is_empty() {
                faults.push(format!("{ids:?}: an entry has either `id` or `ids`"));
            }
            if deviation.expect.is_some() != deviation.upstream_topic.is_empty() {
                faults.push(format!("{ids:?}: an entry has `expect` or `upstream_topic`"));
            }
            if deviation.allowed_by.is_empty() || deviation.because.is_empty() {
                faults.push(format!("{ids:?}: an entry says what allows it, and why"));
            }
            for id in ids {
                let Some(case) = compared.iter().find(|case| case.id == *id) else {
                    faults.push(format!("{id}: no case that is compared"));
                    continue;
                };
                if !seen.insert(id) {
                    faults.push(format!("{id}: has two entries"));
                }
                let recorded = Expected::recorded(case);
                if normal_form(&recorded) == normal_form(&deviation.instead_of(&recorded)) {
                    faults.push(format!("{id}: expects what was recorded"));
                }
                if let Some(cause) = &deviation.because_of
                    && position(cause).is_none_or(|cause| position(id) <= Some(cause))
                {
                    faults.push(format!("{id}: {cause} is no earlier case"));
                }
            }
        }
        faults
    }
}

impl Deviation {
    fn cases(&self) -> impl Iterator<Item = &String> {
        self.id.iter().chain(&self.ids)
    }

    fn instead_of(&self, recorded: &Expected) -> Expected {
        let mut expected = recorded.clone();
        if let Some(answer) = &self.expect {
            expected.status = answer.status;
            expected.json.clone_from(&answer.json);
            if let Some(headers) = &answer.headers {
                expected.headers.clone_from(headers);
            }
            if let Some(pushes) = &answer.upstream {
                expected.pushes = pushes.iter().map(ExpectedPush::push).collect();
            }
            if let Some(volatile) = &answer.volatile {
                expected.volatile.clone_from(volatile);
            }
        }
        for push in &mut expected.pushes {
            if let Some(topic) = self.upstream_topic.get(&push.token) {
                push.topic = Some(topic.clone());
            }
        }
        expected
    }
}

impl ExpectedPush {
    fn push(&self) -> Push {
        Push {
            kind: self.kind,
            token: self.token.clone(),
            topic: self.topic.clone(),
            expires: self.expires,
            body: self.body.clone(),
        }
    }
}
