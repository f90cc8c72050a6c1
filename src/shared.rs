//! Connections that a sink and a source of this process share, by `connection-id`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use gst::prelude::*;
use once_cell::sync::Lazy;
use thiserror::Error;

use crate::{
    frames::SentBuffer,
    net,
    settings::{Common, Settings, Unusable, find},
    transport::{self, Endpoint, Roles},
};

/// What both have to agree on: whichever starts first opens the connection.
const AGREED: [&str; 6] = [
    "mode",
    "host",
    "port",
    "connect-timeout",
    "reconnect",
    "qos-dscp",
];

/// Why a connection cannot be shared, or not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Settings that contradict those of the other element.
    #[error(
        "connection-id \"{id}\" is shared with {other}, but the settings contradict each other: {}",
        .differences.join(", ")
    )]
    Contradiction {
        /// The id.
        id: String,
        /// The other element.
        other: String,
        /// Each as "port is 1 here and 2 there".
        differences: Vec<String>,
    },
    /// A second element for the same direction.
    #[error(
        "connection-id \"{id}\" is already used by {other}; a connection has one sink and one source"
    )]
    Taken {
        /// The id.
        id: String,
        /// The element that has it.
        other: String,
    },
    /// Settings that make no sense together, or were refused.
    #[error("{0}")]
    Settings(String),
    /// A socket given that cannot be used.
    #[error(transparent)]
    Socket(Unusable),
    /// The transport's own reasons.
    #[error(transparent)]
    Transport(#[from] net::Error),
}

impl From<Unusable> for OpenError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            // No fault of the settings.
            Unusable::Duplicate(error) => net::Error::Socket(error).into(),
            unusable => Self::Socket(unusable),
        }
    }
}

/// Which of the two ends of a connection an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It receives.
    Source,
    /// It sends.
    Sink,
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        match role {
            Role::Source => Self::Reader,
            Role::Sink => Self::Writer,
        }
    }
}

struct Shared {
    endpoint: Weak<Endpoint<SentBuffer>>,
    users: Vec<User>,
}

struct User {
    role: Role,
    name: String,
    agreed: Vec<(&'static str, String)>,
}

static SHARED: Lazy<Mutex<HashMap<String, Shared>>> = Lazy::new(Mutex::default);

/// Opens the connection that `settings` ask for, or joins the one with the same id.
pub fn open<S: Settings>(
    element: &impl IsA<gst::Object>,
    settings: &S,
    role: Role,
) -> Result<Arc<Endpoint<SentBuffer>>, OpenError> {
    let common = settings.common();
    common.check().map_err(OpenError::Settings)?;
    let Some(id) = &common.connection_id else {
        return open_endpoint(common, role.into());
    };
    let user = User {
        role,
        name: element.name().into(),
        agreed: agreed(settings),
    };
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = all.get_mut(id)
        && let Some(endpoint) = shared.endpoint.upgrade()
    {
        shared.check(id, &user)?;
        if endpoint.admit(role.into()) {
            shared.users.push(user);
            return Ok(endpoint);
        }
    }
    let endpoint = open_endpoint(common, Roles::Both)?;
    endpoint.admit(role.into());
    let shared = Shared {
        endpoint: Arc::downgrade(&endpoint),
        users: vec![user],
    };
    all.insert(id.clone(), shared);
    Ok(endpoint)
}

/// The element has stopped using the connection. With the last one its id is free.
pub fn leave(id: &str, role: Role) {
    let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = all.get_mut(id) {
        shared.users.retain(|user| user.role != role);
        if shared.users.is_empty() {
            all.remove(id);
        }
    }
}

impl Shared {
    /// Whether one more may use the connection.
    fn check(&self, id: &str, user: &User) -> Result<(), OpenError> {
        for other in &self.users {
            if other.role == user.role {
                return Err(OpenError::Taken {
                    id: id.into(),
                    other: other.name.clone(),
                });
            }
            let differences: Vec<_> = user
                .agreed
                .iter()
                .zip(&other.agreed)
                .filter(|(mine, theirs)| mine != theirs)
                .map(|((name, mine), (_, theirs))| {
                    format!("{name} is {mine} here and {theirs} there")
                })
                .collect();
            if !differences.is_empty() {
                return Err(OpenError::Contradiction {
                    id: id.into(),
                    other: other.name.clone(),
                    differences,
                });
            }
        }
        Ok(())
    }
}

fn open_endpoint(common: &Common, roles: Roles) -> Result<Arc<Endpoint<SentBuffer>>, OpenError> {
    Ok(transport::open(common.target()?, roles)?)
}

fn agreed<S: Settings>(settings: &S) -> Vec<(&'static str, String)> {
    AGREED
        .iter()
        .filter_map(|&name| {
            let value = find::<S>(name)?.get(settings);
            let text = value.serialize().map_or_else(|_| String::new(), Into::into);
            Some((name, text))
        })
        .collect()
}
