//! The server's side: a call without the secret is refused.

use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::ClusterSecret;

/// Lets calls pass that carry the secret; all of them where there is none.
#[derive(Clone, Debug)]
pub struct Guard {
    secret: Option<ClusterSecret>,
}

impl Guard {
    /// With the secret of this process.
    pub fn new(secret: Option<ClusterSecret>) -> Self {
        Self { secret }
    }
}

impl Interceptor for Guard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(secret) = &self.secret else { return Ok(request) };
        match request.metadata().get("authorization") {
            Some(value) if secret.is_proved_by(value.as_bytes()) => Ok(request),
            Some(_) => Err(Status::unauthenticated(
                "another cluster secret: give this process the same cluster.secret_file (or HARRIER_CLUSTER_SECRET) as \
                 the coordinators",
            )),
            None => Err(Status::unauthenticated(
                "no cluster secret: set cluster.secret_file (or HARRIER_CLUSTER_SECRET) to that of the coordinators",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use tonic::Code;

    use super::*;
    use crate::Prove;

    fn secret(text: &str) -> ClusterSecret {
        ClusterSecret::from_text("test", text.as_bytes()).unwrap()
    }

    #[test]
    fn only_the_same_secret_passes() {
        let right = secret("0123456789abcdef");
        let mut guard = Guard::new(Some(right.clone()));
        let call = |prove: Option<&ClusterSecret>| Prove::new(prove).call(Request::new(())).unwrap();
        guard.call(call(Some(&right))).unwrap();
        for wrong in ["0123456789abcdee", "0123456789abcdef0", "x123456789abcdef"] {
            let refused = guard.call(call(Some(&secret(wrong)))).unwrap_err();
            assert_eq!(refused.code(), Code::Unauthenticated);
            assert!(!refused.message().contains("0123456789"));
        }
        assert!(guard.call(call(None)).unwrap_err().message().starts_with("no cluster secret"));
        Guard::new(None).call(call(Some(&right))).unwrap();
    }
}
