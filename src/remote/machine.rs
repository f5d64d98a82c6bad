//! Who we are to a local API that is told of our bans: logged in, and seen alive.

use std::time::{Duration, Instant};

use axum::http::{Method, header};
use serde_json::Value;

use super::{Answer, Client, Failure, read_secret};
use crate::settings::Machine;

/// The longest answer to a login or an alert that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// A token is good for an hour; it is renewed before.
const RENEWED: Duration = Duration::from_secs(50 * 60);
/// The longest token that is kept, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// A machine and its token.
pub struct Session {
    client: Client,
    machine: Machine,
    token: Option<(String, Instant)>,
}

impl Session {
    /// One that has not logged in.
    #[must_use]
    pub fn new(client: Client, machine: Machine) -> Self {
        Self { client, machine, token: None }
    }

    /// Hands alerts over.
    ///
    /// # Errors
    /// When they were not taken.
    pub async fn push(&mut self, alerts: &[Value], now: Instant) -> Result<(), Failure> {
        let body = serde_json::to_vec(alerts).expect("what was read as JSON");
        self.ask(Method::POST, "/v1/alerts", Some(body), now).await
    }

    /// Shows that we are alive.
    ///
    /// # Errors
    /// When that could not be shown.
    pub async fn beat(&mut self, now: Instant) -> Result<(), Failure> {
        self.ask(Method::GET, "/v1/heartbeat", None, now).await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        now: Instant,
    ) -> Result<(), Failure> {
        let mut answer = self.ask_once(method.clone(), path, body.clone(), now).await?;
        if answer.status == 401 {
            // Its secret is another since it was started anew.
            self.token = None;
            answer = self.ask_once(method, path, body, now).await?;
        }
        match answer.status {
            200 | 201 | 204 => Ok(()),
            401 => {
                let message = answer.message().await;
                Err(self.refused(message))
            }
            _ => Err(answer.failure().await),
        }
    }

    async fn ask_once(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        now: Instant,
    ) -> Result<Answer, Failure> {
        let is_fresh = |at: &Instant| now.duration_since(*at) < RENEWED;
        let bearer = match &self.token {
            Some((token, at)) if is_fresh(at) => format!("Bearer {token}"),
            _ => {
                let token = self.log_in().await?;
                let bearer = format!("Bearer {token}");
                self.token = Some((token, now));
                bearer
            }
        };
        let secret = Some((header::AUTHORIZATION, bearer.as_str()));
        self.client.ask(method, path, secret, body).await
    }

    async fn log_in(&self) -> Result<String, Failure> {
        let password = read_secret(&self.machine.password).map_err(Failure::Secret)?.0;
        let body = serde_json::json!({
            "machine_id": self.machine.login, "password": password, "scenarios": [],
        });
        let body = Some(body.to_string().into_bytes());
        let mut answer = self.client.ask(Method::POST, "/v1/watchers/login", None, body).await?;
        match answer.status {
            200 => {}
            401 | 403 => {
                let message = answer.message().await;
                return Err(self.refused(message));
            }
            _ => return Err(answer.failure().await),
        }
        let text = answer.whole(LONGEST).await?;
        let read = serde_json::from_slice::<Value>(&text).unwrap_or_default();
        let token = read["token"].as_str().unwrap_or_default();
        match token.is_empty() || token.len() > LONGEST_TOKEN {
            true => Err(Failure::Broken {
                url: self.client.url().to_owned(),
                why: "a login without a `token`".to_owned(),
            }),
            false => Ok(token.to_owned()),
        }
    }

    fn refused(&self, message: String) -> Failure {
        let (url, login) = (self.client.url().to_owned(), self.machine.login.clone());
        Failure::Login { url, login, message }
    }
}
