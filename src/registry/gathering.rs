//! What several ask of the database at the same time is put to it together.
//!
//! Who comes alone is served at once, and alone. While as many statements as there are lanes are under way, others
//! gather, and the next statement is for all of them: so a statement, its way to the database and its commit are
//! shared the more, the more there is to do, and nobody ever waits for company.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{RegistryError, contact::no_answer};

/// So many are put together at most.
const MOST: usize = 64;

/// Statements under way at a time: a connection on which nobody answers holds up only those that are on it.
const LANES: usize = 2;

/// Jobs of one kind that wait, and what each is answered; as many as there are requests.
pub(super) struct Gathering<J, A>(Arc<Mutex<State<J, A>>>);

struct State<J, A> {
    waiting: VecDeque<Waiting<J, A>>,
    lanes: usize,
}

struct Waiting<J, A> {
    job: J,
    answer: oneshot::Sender<Result<A, RegistryError>>,
}

impl<J, A> Default for Gathering<J, A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { waiting: VecDeque::new(), lanes: 0 })))
    }
}

impl<J, A> Gathering<J, A>
where
    J: Send + 'static,
    A: Send + 'static,
{
    /// Does a job with those of others, and gives its answer; `work` answers each of its jobs, in their order.
    ///
    /// It is done also when the caller stops waiting, unless it has not begun.
    ///
    /// # Errors
    ///
    /// When the database fails; it may have been done all the same.
    pub(super) async fn join<W, F>(
        &self,
        job: J,
        patience: Duration,
        work: W,
    ) -> Result<A, RegistryError>
    where
        W: Fn(Vec<J>) -> F + Send + 'static,
        F: Future<Output = Vec<Result<A, RegistryError>>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        let lane = {
            let mut state = locked(&self.0);
            state.waiting.push_back(Waiting { job, answer });
            (state.lanes < LANES).then(|| {
                state.lanes += 1;
                Lane { state: Arc::clone(&self.0), is_open: true }
            })
        };
        if let Some(mut lane) = lane {
            tokio::spawn(async move {
                while let Some(next) = lane.next() {
                    let (jobs, answers): (Vec<J>, Vec<_>) =
                        next.into_iter().map(|waiting| (waiting.job, waiting.answer)).unzip();
                    for (answer, done) in answers.into_iter().zip(work(jobs).await) {
                        // Who does not wait any more needs none.
                        let _ = answer.send(done);
                    }
                }
            });
        }
        match timeout(patience, answered).await {
            Ok(Ok(done)) => done,
            // In time, or ever: then the work has panicked.
            Err(_) | Ok(Err(_)) => Err(no_answer().into()),
        }
    }
}

/// The right to have a statement under way; given back also when the work panics.
struct Lane<J, A> {
    state: Arc<Mutex<State<J, A>>>,
    is_open: bool,
}

impl<J, A> Lane<J, A> {
    /// Those who are next; when nobody is left, the lane is closed, so that nobody counts on it.
    fn next(&mut self) -> Option<Vec<Waiting<J, A>>> {
        let mut state = locked(&self.state);
        // Who does not wait any more was told that there is no answer.
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let all = state.waiting.len().min(MOST);
        if all == 0 {
            state.lanes -= 1;
            self.is_open = false;
            return None;
        }
        // Powers of two: for each number of rows there is another statement, which every connection has to prepare.
        Some(state.waiting.drain(..1 << all.ilog2()).collect())
    }
}

impl<J, A> Drop for Lane<J, A> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let mut state = locked(&self.state);
        state.lanes -= 1;
        if state.lanes == 0 {
            // Nobody would come to serve them: they are told so now.
            state.waiting.clear();
        }
    }
}

fn locked<J, A>(state: &Mutex<State<J, A>>) -> MutexGuard<'_, State<J, A>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};
    use tokio::sync::Semaphore;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// What was put together, and whether it may end.
    #[derive(Clone)]
    struct Desk {
        gathering: Arc<Gathering<u32, u32>>,
        begun: Arc<Mutex<Vec<Vec<u32>>>>,
        may_end: Arc<Semaphore>,
    }

    impl Desk {
        /// Nothing ends here yet; both lanes are taken, by 1 and by 2.
        async fn busy() -> (Self, Vec<tokio::task::JoinHandle<Option<u32>>>) {
            let desk = Self {
                gathering: Arc::default(),
                begun: Arc::default(),
                may_end: Arc::new(Semaphore::new(0)),
            };
            let mut first = Vec::new();
            for job in [1, 2] {
                let joining = desk.clone();
                first.push(tokio::spawn(async move { joining.join(job).await }));
                while desk.begun().len() < first.len() {
                    tokio::task::yield_now().await;
                }
            }
            (desk, first)
        }

        fn begun(&self) -> Vec<Vec<u32>> {
            self.begun.lock().unwrap().clone()
        }

        /// Each is answered itself; at 13 the work panics.
        async fn join(&self, job: u32) -> Option<u32> {
            let Self { begun, may_end, .. } = self.clone();
            let work = move |jobs: Vec<u32>| {
                begun.lock().unwrap().push(jobs.clone());
                let may_end = Arc::clone(&may_end);
                async move {
                    let _may = may_end.acquire().await.unwrap();
                    assert!(!jobs.contains(&13), "a fault of the work");
                    jobs.into_iter().map(Ok).collect()
                }
            };
            self.gathering.join(job, LONG, work).await.ok()
        }
    }

    #[tokio::test]
    async fn who_comes_meanwhile_is_served_together_and_each_is_answered() {
        let (desk, first) = Desk::busy().await;
        let mut others = Box::pin(join_all((3..=11).map(|job| desk.join(job))));
        assert!((&mut others).now_or_never().is_none());
        assert_eq!(desk.begun().len(), 2, "both lanes are taken");
        desk.may_end.add_permits(2);
        assert_eq!(others.await, (3..=11).map(Some).collect::<Vec<_>>());
        for (job, answer) in (1..).zip(join_all(first).await) {
            assert_eq!(answer.unwrap(), Some(job));
        }
        let begun = desk.begun();
        assert_eq!(begun[2..], [vec![3, 4, 5, 6, 7, 8, 9, 10], vec![11]]);
    }

    #[tokio::test]
    async fn who_stops_waiting_keeps_nobody_from_being_answered() {
        let (desk, mut first) = Desk::busy().await;
        // One of them is under way, the other has not begun.
        first.remove(0).abort();
        assert!(desk.join(3).now_or_never().is_none());
        let mut last = Box::pin(desk.join(4));
        assert!((&mut last).now_or_never().is_none());
        desk.may_end.add_permits(2);
        assert_eq!(last.await, Some(4));
        assert_eq!(first.remove(0).await.unwrap(), Some(2));
        assert_eq!(desk.begun()[2..], [vec![4]]);
    }

    #[tokio::test]
    async fn a_panic_costs_only_those_whose_work_it_was() {
        let (desk, first) = Desk::busy().await;
        desk.may_end.add_permits(2);
        join_all(first).await;
        for _ in 0..2 * LANES {
            assert_eq!(desk.join(13).await, None);
        }
        assert_eq!(desk.join(14).await, Some(14));
    }
}
