//! `weir page`: where the daemon's page is, with what opens it.

use std::path::Path;

use serde_json::json;

use super::{Exit, Failed, Global, Output, asking, complete, output};
use crate::daemon;
use crate::settings::http::{Http, Token, made_token};

/// Print the address of the page that shows how the daemon is
///
/// The page has health, rates, bans with what led to them, sources, and which programs the rules
/// understand. Log lines are shown to whoever has the token; this command reads it, so it is for root
/// and for the group of the daemon. From another machine, forward the port:
/// `ssh -L 9514:127.0.0.1:9514 HOST`, then open the address there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir page
  weir page --output json | jq -r .url")]
pub struct Page {
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl Page {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let (settings, _) = asking::settings(global)?;
        let folders = daemon::folders::choose(&settings)?;
        let settings = settings.place(&folders);
        let Some(http) = &settings.http else {
            let message = "there is no page: the configuration says `http: {listen: off}`";
            return Err(Failed::new(Exit::Failure, message).into());
        };
        let token = token(http, &settings.control)?;
        // In the fragment it is sent to nobody; the page takes it from there.
        let url = match &token {
            Some(token) if http.is_local() => format!("{}#token={token}", address(http)),
            _ => address(http),
        };
        match self.output {
            Output::Human => {
                complete(&format!("{url}\n"))?;
                if !http.is_local() {
                    output::remark(&match token {
                        Some(token) => format!("any user name, and as the password: {token}\n"),
                        None => {
                            "your browser needs a certificate that `http: tls:` permits\n".into()
                        }
                    });
                }
            }
            Output::Json => complete(&format!("{:#}\n", json!({ "url": url, "token": token })))?,
        }
        Ok(Exit::Success)
    }
}

/// Without the token.
fn address(http: &Http) -> String {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}/", http.listen)
}

fn token(http: &Http, control: &Path) -> anyhow::Result<Option<String>> {
    let path = match &http.token {
        Token::Is(secret) => return Ok(Some(secret.reveal().to_owned())),
        Token::Made if !http.is_local() => return Ok(None),
        Token::File(path) => path.clone(),
        Token::Made => made_token(control),
    };
    let found = daemon::read_token(&path);
    found.map(Some).map_err(|message| match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("{message}; is the daemon running?");
            Failed::new(Exit::Unavailable, message).into()
        }
        Ok(_) => {
            let message = format!("{message}; be root or a member of the daemon's group");
            Failed::new(Exit::Permission, message).into()
        }
        Err(_) => Failed::new(Exit::Permission, message).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let at = |listen: &str| Http { listen: listen.parse().unwrap(), ..Http::default() };
        assert_eq!(address(&at("127.0.0.1:9514")), "http://127.0.0.1:9514/");
        assert_eq!(address(&at("[::1]:80")), "http://[::1]:80/");
    }

    #[test]
    fn the_token_is_where_the_daemon_put_it() {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("control.sock");
        let error = token(&Http::default(), &control).unwrap_err();
        assert!(error.to_string().contains("is the daemon running?"), "{error}");
        std::fs::write(folder.path().join("control.token"), "0123456789abcdef\n").unwrap();
        let found = token(&Http::default(), &control).unwrap();
        assert_eq!(found.as_deref(), Some("0123456789abcdef"));
    }
}
