//! The caller's side: every call carries the secret.

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::ClusterSecret;

/// Puts the secret into every call; does nothing where there is none.
#[derive(Clone, Debug, Default)]
pub struct Prove {
    header: Option<MetadataValue<Ascii>>,
}

impl Prove {
    /// With the secret of this process.
    pub fn new(secret: Option<&ClusterSecret>) -> Self {
        Self { header: secret.and_then(ClusterSecret::header) }
    }
}

impl Interceptor for Prove {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = &self.header {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}
