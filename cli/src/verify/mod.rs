//! Whether a target has what a task is to bring there: source and target compared while both are in use.
//!
//! Both are read up to one time of the source, page by page along the primary key, in bounded memory: only keys and
//! hashes of one page of each side are kept. What differs then may have been written since; so it is looked at again,
//! the source before and after the target, and counts only when the source stood still meanwhile (`settle`).
//!
//! `api` asks the coordinators, `scope` says what belongs to the task, `catalog` compares what describes a collection,
//! `walk` its rows, `doubled` rows that are there twice, `row` reads columns, `side` asks one server, `report` tells.

mod api;
mod catalog;
mod doubled;
mod key;
mod report;
mod row;
mod scope;
mod settle;
mod side;
#[cfg(test)]
mod tests;
mod walk;

use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use harrier_milvus::client::{ClientError, Endpoint, MilvusClient};
use harrier_milvus::tso::Timestamp;

pub use report::{Report, Verdict};
use scope::{Pair, Scope};

use crate::args::VerifyArguments;

/// How long a newly created collection may take to be mapped.
const MAPPING_WAIT: Duration = Duration::from_secs(5);
/// Connecting, and describing things.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Both servers, and how they are compared.
struct Verifier {
    source: MilvusClient,
    target: MilvusClient,
    /// Everything up to here is compared.
    at: Timestamp,
    ignore_partition: bool,
    /// How long the target may take to get there.
    timeout: Duration,
}

/// Compares, and tells.
pub async fn run(arguments: &VerifyArguments) -> anyhow::Result<Report> {
    let address = crate::api::address(&arguments.api.api);
    let task = api::task(address, &arguments.task).await?;
    let source = connect("source", &arguments.source, arguments.source_token.as_deref(), arguments).await?;
    let target_uri = arguments.target.clone().unwrap_or_else(|| task.target_uri.clone());
    let target = connect("target", &target_uri, arguments.target_token.as_deref(), arguments).await?;
    let at = source.server_time().await.context("asking the source for its time")?;
    let mut scope = Scope::of(&task, &source).await?;
    if !scope.unknown.is_empty() {
        // They may have been created a moment ago.
        tokio::time::sleep(MAPPING_WAIT).await;
        scope = Scope::of(&api::task(address, &arguments.task).await?, &source).await?;
    }
    let mut report = Report::new(&task, at);
    report.scope(&scope);
    let verifier = Verifier {
        source,
        target,
        at,
        ignore_partition: task.ignore_partition,
        timeout: Duration::from_secs(arguments.timeout_s),
    };
    let mut outcomes = futures::stream::iter(scope.pairs.iter().map(|pair| verifier.pair(pair)))
        .buffer_unordered(arguments.parallel.max(1));
    while let Some(outcome) = outcomes.next().await {
        report.collection(outcome);
    }
    Ok(report)
}

async fn connect(
    what: &str,
    uri: &str,
    token: Option<&str>,
    arguments: &VerifyArguments,
) -> anyhow::Result<MilvusClient> {
    let mut endpoint = Endpoint::new(uri);
    endpoint.token = token.filter(|token| !token.is_empty()).map(Into::into);
    endpoint.request_timeout = CALL_TIMEOUT;
    if let Some(path) = &arguments.ca_pem {
        let pem = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        endpoint.tls.ca_pem = Some(pem);
    }
    MilvusClient::connect(&endpoint).await.with_context(|| format!("connecting to the {what} at {uri}"))
}

impl Verifier {
    /// The source's time.
    async fn now(&self) -> Result<Timestamp, Trouble> {
        self.source.server_time().await.map_err(|error| Trouble::of("source", &error))
    }

    async fn pair(&self, pair: &Pair) -> report::Outcome {
        let mut outcome = report::Outcome::of(pair);
        if let Err(error) = self.compare(pair, &mut outcome).await {
            match error {
                Trouble::GoneFromSource => outcome.gone = true,
                Trouble::Incomplete(reason) => outcome.incomplete = Some(reason),
            }
        }
        outcome
    }

    async fn compare(&self, pair: &Pair, outcome: &mut report::Outcome) -> Result<(), Trouble> {
        let Some(shapes) = catalog::compare(self, pair, outcome).await? else { return Ok(()) };
        for (what, client, name) in
            [("source", &self.source, &pair.source), ("target", &self.target, &pair.target)]
        {
            let loaded = client.is_loaded(&name.db, &name.collection).await;
            if !loaded.map_err(|error| Trouble::of(what, &error))? {
                return Err(Trouble::Incomplete(format!("its rows: it is not loaded at the {what}")));
            }
        }
        walk::compare(self, pair, &shapes, outcome).await
    }
}

/// Why a collection was not compared, or not to its end.
enum Trouble {
    /// The source has dropped it since.
    GoneFromSource,
    Incomplete(String),
}

impl Trouble {
    fn of(what: &str, error: &ClientError) -> Self {
        match error {
            ClientError::NotFound { .. } if what == "source" => Self::GoneFromSource,
            ClientError::Deadline { .. } if what == "target" => {
                Self::Incomplete(format!("the target did not reach the time of the comparison: {error}"))
            }
            _ => Self::Incomplete(format!("{what}: {error}")),
        }
    }
}
