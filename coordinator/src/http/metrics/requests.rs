//! Counts and times of `/cdc` requests. Kept here and not in a process-wide recorder, so that the histogram has the
//! buckets that existing dashboards compute quantiles from, whatever the process installs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::text::{Exposition, Kind};
use crate::http::request::RequestType;

/// Upper bounds in milliseconds.
const LATENCY_BUCKETS_MS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// How a request went; the names are those of existing dashboards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestStatus {
    /// Every request that could be read.
    Total,
    /// Code 200.
    Success,
    /// Any other code.
    Fail,
    /// Not a POST.
    InvalidMethod,
    /// The body did not arrive, or was too large.
    ReadError,
    /// The body is no request.
    UnmarshalError,
}

impl RequestStatus {
    fn name(self) -> &'static str {
        match self {
            RequestStatus::Total => "total",
            RequestStatus::Success => "success",
            RequestStatus::Fail => "fail",
            RequestStatus::InvalidMethod => "invalid_method",
            RequestStatus::ReadError => "read_error",
            RequestStatus::UnmarshalError => "unmarshal_error",
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Latency {
    /// Not cumulative; one more for what is above the last bound.
    buckets: [u64; LATENCY_BUCKETS_MS.len() + 1],
    sum_ms: f64,
    count: u64,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    total: BTreeMap<(Option<RequestType>, RequestStatus), u64>,
    latency: BTreeMap<RequestType, Latency>,
}

/// The counters of one router.
#[derive(Debug, Default)]
pub(crate) struct RequestMetrics {
    counts: Mutex<Counts>,
}

impl RequestMetrics {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; `None` when its type is unknown, whatever it said: clients must not make series.
    pub(crate) fn count(&self, request_type: Option<RequestType>, status: RequestStatus) {
        *self.lock().total.entry((request_type, status)).or_default() += 1;
    }

    /// Notes how long a request took.
    pub(crate) fn observe(&self, request_type: RequestType, elapsed: Duration) {
        let elapsed_ms = elapsed.as_secs_f64() * 1000.0;
        let bucket = LATENCY_BUCKETS_MS.partition_point(|&bound| bound < elapsed_ms);
        let mut counts = self.lock();
        let latency = counts.latency.entry(request_type).or_default();
        if let Some(count) = latency.buckets.get_mut(bucket) {
            *count += 1;
        }
        latency.sum_ms += elapsed_ms;
        latency.count += 1;
    }

    /// Writes both families.
    pub(super) fn render(&self, exposition: &mut Exposition) {
        let counts = self.lock().clone();
        let mut family = exposition.family("milvus_cdc_request_total", Kind::Counter, "requests to /cdc");
        for ((request_type, status), count) in &counts.total {
            let request_type = request_type.map_or("unknown", RequestType::name);
            family.sample(&[("request_type", request_type), ("request_status", status.name())], count);
        }
        let mut family = exposition.family(
            "milvus_cdc_request_latency",
            Kind::Histogram,
            "time from a request that was read to its answer, in milliseconds",
        );
        for (request_type, latency) in &counts.latency {
            let request_type = ("request_type", request_type.name());
            let mut cumulative = 0;
            for (bound, count) in LATENCY_BUCKETS_MS.iter().zip(latency.buckets) {
                cumulative += count;
                family.sample_with_suffix("_bucket", &[request_type, ("le", &bound.to_string())], cumulative);
            }
            family.sample_with_suffix("_bucket", &[request_type, ("le", "+Inf")], latency.count);
            family.sample_with_suffix("_sum", &[request_type], latency.sum_ms);
            family.sample_with_suffix("_count", &[request_type], latency.count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::text::Exposition;
    use super::{RequestMetrics, RequestStatus};
    use crate::http::request::RequestType;

    #[test]
    fn buckets_are_cumulative_and_bounds_inclusive() {
        let metrics = RequestMetrics::default();
        metrics.count(None, RequestStatus::InvalidMethod);
        metrics.count(Some(RequestType::List), RequestStatus::Total);
        for ms in [1, 3, 4, 500] {
            metrics.observe(RequestType::List, Duration::from_millis(ms));
        }
        let mut exposition = Exposition::new(100);
        metrics.render(&mut exposition);
        let text = exposition.finish();
        for line in [
            r#"milvus_cdc_request_total{request_type="unknown",request_status="invalid_method"} 1"#,
            r#"milvus_cdc_request_total{request_type="list",request_status="total"} 1"#,
            r#"milvus_cdc_request_latency_bucket{request_type="list",le="1"} 1"#,
            r#"milvus_cdc_request_latency_bucket{request_type="list",le="2"} 1"#,
            r#"milvus_cdc_request_latency_bucket{request_type="list",le="4"} 3"#,
            r#"milvus_cdc_request_latency_bucket{request_type="list",le="128"} 3"#,
            r#"milvus_cdc_request_latency_bucket{request_type="list",le="+Inf"} 4"#,
            r#"milvus_cdc_request_latency_sum{request_type="list"} 508"#,
            r#"milvus_cdc_request_latency_count{request_type="list"} 4"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
    }
}
