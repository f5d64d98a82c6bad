//! Who gets in as a machine, and for how long.

use super::*;

const AGENT: &str = "User-Agent: crowdsec/v1.4.6-debian\r\n";
const GOOD: &str = r#"{"machine_id":"web","password":"password","scenarios":["a/b"]}"#;
const WRONG: &str = r#"{"code":401,"message":"incorrect Username or Password"}"#;

impl World {
    fn log_in(&self, body: &str) -> (u16, String) {
        self.send("POST", "/v1/watchers/login", AGENT, body)
    }

    /// The header of a machine that is logged in.
    pub(super) fn token(&self) -> String {
        let (status, body) = self.log_in(GOOD);
        assert_eq!(status, 200, "{body}");
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        format!("Authorization: Bearer {}\r\n", told["token"].as_str().unwrap())
    }

    fn machine(&self, name: &str) -> Option<crate::lapi::Machine> {
        self.api.machines().get(name).cloned()
    }
}

#[track_caller]
fn says((status, body): (u16, String), expected: u16, contains: &str) {
    assert_eq!(status, expected, "{body}");
    assert!(body.contains(contains), "{body}");
}

#[test]
fn a_machine_logs_in_and_works() {
    let world = World::new();
    let (status, body) = world.log_in(GOOD);
    assert_eq!(status, 200);
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    let keys: Vec<_> = told.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "expire", "token"]);
    assert_eq!(told["code"], 200);
    assert_eq!(told["expire"], "2023-11-14T23:13:20Z");
    let web = world.machine("web").unwrap();
    assert_eq!(web.version, "crowdsec/v1.4.6-debian");
    assert_eq!((web.address, web.last_seen), (Some([192, 0, 2, 1].into()), Some(now())));
    let token = world.token();
    assert_eq!(world.ask("GET", "/v1/heartbeat", &token), (200, String::new()));
    let cookie = token.replace("Authorization: Bearer ", "Cookie: a=b; jwt=");
    assert_eq!(world.ask("GET", "/v1/heartbeat", &cookie), (200, String::new()));
    says(world.ask("GET", "/v1/refresh_token", &token), 200, r#""code":200,"expire":"2023"#);
    let body = r#"{"log_processors":[{"version":"1","utc_startup_timestamp":1}]}"#;
    assert_eq!(world.send("POST", "/v1/usage-metrics", &token, body), (201, String::new()));
    // Neither opens what is the other's.
    assert_eq!(world.ask("GET", "/v1/decisions", &token).0, 403);
    assert_eq!(world.ask("GET", "/v1/heartbeat", &format!("X-Api-Key: {KEY}\r\n")).0, 401);
    // An old token with a login does not matter.
    let old = format!("{AGENT}Authorization: Bearer x\r\n");
    assert_eq!(world.send("POST", "/v1/watchers/login", &old, GOOD).0, 200);
}

#[test]
fn who_is_unknown_or_says_something_else_is_not_let_in() {
    let world = World::new();
    let wrong = (401, WRONG.to_owned());
    assert_eq!(world.log_in(r#"{"machine_id":"web","password":"Password"}"#), wrong);
    assert_eq!(world.log_in(r#"{"machine_id":"nobody","password":"password"}"#), wrong);
    assert_eq!(world.log_in(r#"{"machine_id":"guest","password":"Password"}"#), wrong);
    let waiting = r#"{"code":401,"message":"machine guest not validated"}"#.to_owned();
    assert_eq!(world.log_in(r#"{"machine_id":"guest","password":"password"}"#), (401, waiting));
    says(world.log_in(r#"{"machine_id":"web"}"#), 401, r#"{"code":401,"message":"missing"#);
    says(world.log_in(r#"{"password":"password"}"#), 401, "missing");
    says(world.log_in("7"), 401, "expected a JSON object");
    says(world.log_in(""), 401, "expected a JSON object");
    for agent in ["", "User-Agent: x\r\n", "User-Agent: x/y/z\r\n"] {
        let answer = world.send("POST", "/v1/watchers/login", agent, GOOD);
        says(answer, 401, "bad user agent");
    }
    let long = format!("{{\"machine_id\":\"{}\"}}", "x".repeat(1 << 18));
    says(world.log_in(&long), 401, "longer than 0.25 MiB");
    let head = world.raw("GET /v1/heartbeat HTTP/1.0\r\n\r\n");
    assert!(head.contains("www-authenticate: JWT realm=Crowdsec API local\r\n"), "{head}");
    assert!(head.ends_with(r#"{"code":401,"message":"cookie token is empty"}"#), "{head}");
    assert_eq!(world.ask("POST", "/v1/heartbeat", ""), (405, String::new()));
    assert_eq!(world.ask("GET", "/v1/watchers/login", ""), (405, String::new()));
    let processor = "User-Agent: crowdsec/1\r\n";
    assert_eq!(world.send("POST", "/v1/usage-metrics", processor, "{}").0, 401);
}

#[test]
fn a_token_of_an_account_that_is_no_more_opens_nothing() {
    let world = World::new();
    let token = world.token();
    assert_eq!(world.ask("GET", "/v1/heartbeat", &token).0, 200);
    world.api.machines().delete("web");
    says(world.ask("GET", "/v1/heartbeat", &token), 401, "machine web has no access any more");
    says(world.ask("GET", "/v1/refresh_token", &token), 401, "no access");
    assert_eq!(world.log_in(GOOD), (401, WRONG.to_owned()));
    // Another account of the same name is another one.
    let later = now().plus(1);
    world.api.machines().add("web", password(), later).unwrap();
    says(world.ask("GET", "/v1/heartbeat", &token), 401, "no access");
    assert_eq!(world.ask("GET", "/v1/heartbeat", &world.token()).0, 200);
}

#[test]
fn a_machine_registers_and_leaves() {
    let world = World::new();
    let register = |body: &str| world.send("POST", "/v1/watchers", AGENT, body);
    let new = r#"{"machine_id":"new","password":"password"}"#;
    assert_eq!(register(new), (201, String::new()));
    assert!(!world.machine("new").unwrap().is_validated);
    assert_eq!(world.log_in(new).0, 401);
    world.api.machines().validate("new");
    assert_eq!(world.log_in(new).0, 200);
    says(register(new), 403, r#"{"message":"there is a machine `new` already"#);
    says(register(r#"{"machine_id":"new@1","password":"password"}"#), 422, "expected a name");
    says(register(r#"{"machine_id":"x"}"#), 422, "expected a `password`");
    says(register("{"), 400, "message");
    let token = world.token();
    assert_eq!(
        world.ask("DELETE", "/v1/watchers/self", ""),
        (401, world.ask("GET", "/v1/heartbeat", "").1)
    );
    assert_eq!(world.ask("DELETE", "/v1/watchers/self", &token), (204, String::new()));
    assert_eq!(world.machine("web"), None);
    assert_eq!(world.ask("DELETE", "/v1/watchers/self", &token).0, 401);
}

#[test]
fn machines_register_only_from_where_they_may() {
    let mut world = World::new();
    let mut accounts = accounts();
    accounts.admission.register_from.clear();
    world.api.accounts = Arc::new(accounts);
    let answer = world.send("POST", "/v1/watchers", AGENT, GOOD);
    says(answer, 403, "machines may not register themselves from 192.0.2.1");
}

#[test]
fn certificates_stand_for_keys_and_passwords() {
    let mut world = World::new();
    let show = |world: &mut World, name: &str, unit: &str| {
        let units = vec!["x".to_owned(), unit.to_owned()];
        world.certificate = Some(Arc::new(Certificate { name: name.to_owned(), units }));
    };
    show(&mut world, "edge", "bouncers");
    assert_eq!(world.ask("GET", "/v1/decisions", ""), (200, "null".to_owned()));
    assert_eq!(world.ask("HEAD", "/v1/decisions", ""), (200, String::new()));
    assert_eq!(world.log_in("{}").0, 401, "it is no machine");
    let names: Vec<_> = world.api.bouncers().iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, ["edge", "edge@192.0.2.1"], "the one with a key is another one");
    show(&mut world, "edge", "machines");
    assert_eq!(world.ask("GET", "/v1/decisions", "").0, 403, "it is no bouncer");
    let (status, body) = world.log_in(r#"{"scenarios":[]}"#);
    assert_eq!(status, 200, "{body}");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    let token = format!("Authorization: Bearer {}\r\n", told["token"].as_str().unwrap());
    assert_eq!(world.ask("GET", "/v1/heartbeat", &token).0, 200);
    assert!(world.machine("edge@192.0.2.1").unwrap().password.is_none());
    show(&mut world, "a b", "machines");
    says(world.log_in("{}"), 401, "expected a certificate whose common name");
    show(&mut world, "edge", "others");
    assert_eq!(world.ask("GET", "/v1/decisions", "").0, 403);
    assert_eq!(world.log_in("{}").0, 401);
    // Nobody logs in as one without a certificate.
    world.certificate = None;
    let posed = r#"{"machine_id":"edge@192.0.2.1","password":""}"#;
    assert_eq!(world.log_in(posed).0, 401);
    assert_eq!(world.log_in(&posed.replace("\"\"", "\"x\"")), (401, WRONG.to_owned()));
    // A key is good with a certificate that says nothing.
    show(&mut world, "edge", "others");
    assert_eq!(world.get("/v1/decisions"), (200, "null".to_owned()));
}
