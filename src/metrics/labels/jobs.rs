//! Labels of what is done from time to time.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::{label_set, label_values};

label_values! {
    /// What is done from time to time.
    JobName {
        /// Old rows are deleted.
        Retention = "retention",
    }
}

label_values! {
    /// How a run of it ended.
    JobResult {
        /// All was done.
        Ok = "ok",
        /// Something was not, and is tried again at the next run.
        Failed = "failed",
    }
}

label_set! {
    /// Labels of a job.
    JobLabels {
        /// The job.
        job_name: JobName,
    }
}

label_set! {
    /// Labels of runs of a job.
    JobRunLabels {
        /// The job.
        job_name: JobName,
        /// How they ended.
        result: JobResult,
    }
}
