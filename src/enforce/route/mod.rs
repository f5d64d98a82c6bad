//! Bans as routes that lead nowhere, in a table of our own, spoken by netlink.
//!
//! A route is asked for where packets go to: what is sent to a banned address is dropped, so that
//! no connection comes about and those that there are stand still. What comes from it is dropped
//! only where the host checks the way back (`rp_filter`, IPv4), or by other rules. Routes have no
//! time and count nothing: the enforcer takes them away.
//!
//! Everything of ours has our protocol number and is in our table, which a rule has looked up
//! before the others. Friends are `throw` routes there; so is a ban within a friend's prefix, which
//! would have the more specific route otherwise.
//!
//! ```text
//!  ip rule     100: from all lookup 9514 proto 222
//!  ip route    throw 198.51.100.0/28 metric 1        a friend
//!              blackhole 198.51.100.77 metric 2      a ban of a single address
//!              blackhole 198.51.100.0/24 metric 3    one of a range
//! ```

#![forbid(unsafe_code)]

mod friends;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd as _, BorrowedFd};

use ipnet::IpNet;

use super::backend::{Backend, Error, Hit, Shape};
use super::element::{Edit, Element, Held};
use super::netlink::message::Message;
use super::netlink::routes::{GROUPS, Kind, Route, Rule, V4, V6};
use super::netlink::series::Series;
use super::netlink::{self, Protocol, Socket};
use super::observe::Observe;
use super::per_family::{Counts, PerFamily};
use crate::decision::Family;
use crate::settings;
use crate::value::Time;
use friends::Friends;

/// Messages sent at a time: their answers must fit the receive buffer.
const PER_SERIES: u32 = 1000;

const FRIEND: u32 = 1;
const HOST: u32 = 2;
const RANGE: u32 = 3;

/// What the routes are to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The number of the table, which is ours alone.
    pub table: u32,
    /// The number that marks routes and rules as ours.
    pub protocol: u8,
    /// The priority of the rule: lower ones come first.
    pub priority: u32,
    /// What becomes of packets.
    pub kind: settings::RouteKind,
}

impl From<&settings::Enforce> for Options {
    fn from(settings: &settings::Enforce) -> Self {
        let settings::Route { table, protocol, priority, kind } = settings.route;
        Self { table, protocol, priority, kind }
    }
}

/// The backend.
#[derive(Debug)]
pub struct Routes {
    options: Options,
    socket: Socket,
    /// Hears what other sockets change.
    monitor: Socket,
    friends: Friends,
    /// What would be banned of a family that this kernel does not have.
    missing: Observe,
    has_v6: bool,
}

impl Routes {
    /// Opens the sockets in the calling thread's network namespace. Nothing is changed yet.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] without `CAP_NET_ADMIN`, else what failed.
    pub fn open(options: Options) -> Result<Self, Error> {
        let refused = |source: netlink::Error| match source.errno() {
            Some(libc::EPERM) => Error::NotPermitted,
            _ => Error::Kernel { what: "open the routing tables", source },
        };
        let mut socket = Socket::open(Protocol::Route).map_err(refused)?;
        socket.choose();
        // Nobody has this address, so nobody can be banned by it: it is only asked whether we may.
        let nobody = Route {
            net: IpNet::from(std::net::IpAddr::from([0; 4])),
            table: options.table,
            protocol: options.protocol,
            metric: HOST,
            kind: Kind::BLACKHOLE,
        };
        let mut series = Series::new(socket.sequence());
        nobody.delete(&mut series);
        socket.carry_out(series, &[libc::ESRCH, libc::ENOENT]).map_err(refused)?;
        let asked = socket.list(|writer, sequence| Rule::list(writer, sequence, V6), read_rule);
        let has_v6 = match asked {
            Ok(_) => true,
            Err(error) if error.errno() == Some(libc::EAFNOSUPPORT) => false,
            Err(error) => return Err(refused(error)),
        };
        let monitor = Socket::open(Protocol::Route).map_err(refused)?;
        monitor.hear(&GROUPS, socket.port()).map_err(refused)?;
        let (friends, missing) = (Friends::default(), Observe::new());
        Ok(Self { options, socket, monitor, friends, missing, has_v6 })
    }

    fn families(&self) -> &'static [u8] {
        if self.has_v6 { &[V4, V6] } else { &[V4] }
    }

    fn is_here(&self, net: &IpNet) -> bool {
        self.has_v6 || matches!(net, IpNet::V4(_))
    }

    fn route(&self, net: IpNet, metric: u32, kind: Kind) -> Route {
        let Options { table, protocol, .. } = self.options;
        Route { net, table, protocol, metric, kind }
    }

    /// The route that an element is.
    fn ban(&self, element: Element) -> Route {
        let (net, metric) = match element {
            Element::Host(address) => (IpNet::from(address), HOST),
            Element::Range(..) => (element.prefix().expect("ranges come cut into prefixes"), RANGE),
        };
        let kind = if self.friends.cover(net) {
            Kind::THROW
        } else {
            match self.options.kind {
                settings::RouteKind::Blackhole => Kind::BLACKHOLE,
                settings::RouteKind::Prohibit => Kind::PROHIBIT,
                settings::RouteKind::Unreachable => Kind::UNREACHABLE,
            }
        };
        self.route(net, metric, kind)
    }

    /// All our routes.
    fn read(&mut self) -> Result<Vec<Route>, Error> {
        let Options { table, protocol, .. } = self.options;
        let mut routes = Vec::new();
        for family in self.families() {
            let found = self.socket.list(
                |writer, sequence| Route::list(writer, sequence, *family, table, protocol),
                |message, routes| {
                    let ours = |route: &Route| route.table == table && route.protocol == protocol;
                    routes.extend(Route::read(message).filter(ours));
                },
            );
            match found {
                Ok(found) => routes.extend(found),
                // A table without a route is none.
                Err(error) if error.errno() == Some(libc::ENOENT) => {}
                Err(source) => return Err(Error::Kernel { what: "list the routes", source }),
            }
        }
        Ok(routes)
    }

    /// All our rules.
    fn rules(&mut self) -> Result<Vec<Rule>, Error> {
        let Options { table, protocol, .. } = self.options;
        let mut rules = Vec::new();
        for family in self.families() {
            let found = self
                .socket
                .list(|writer, sequence| Rule::list(writer, sequence, *family), read_rule)
                .map_err(|source| Error::Kernel { what: "list the routing rules", source })?;
            let ours = |rule: &Rule| rule.table == table && rule.protocol == protocol;
            rules.extend(found.into_iter().filter(ours));
        }
        Ok(rules)
    }

    /// Sends messages, cut into series; gives how many series it took.
    fn send(
        &mut self,
        what: &'static str,
        messages: impl IntoIterator<Item = Step>,
    ) -> Result<u64, Error> {
        // What is there already or is gone already is as it should be.
        const HARMLESS: [i32; 3] = [libc::EEXIST, libc::ESRCH, libc::ENOENT];
        let mut messages = messages.into_iter().peekable();
        let mut count = 0;
        while messages.peek().is_some() {
            let mut series = Series::new(self.socket.sequence());
            while series.len() < PER_SERIES
                && let Some(step) = messages.next()
            {
                match step {
                    Step::Put(route) => route.put(&mut series),
                    Step::Delete(route) => route.delete(&mut series),
                    Step::PutRule(rule) => rule.put(&mut series),
                    Step::DeleteRule(rule) => rule.delete(&mut series),
                }
            }
            let sent = self.socket.carry_out(series, &HARMLESS);
            sent.map_err(|source| Error::Kernel { what, source })?;
            count += 1;
        }
        Ok(count)
    }

    /// The rules as they should be, one for each family.
    fn wanted_rules(&self) -> impl Iterator<Item = Rule> + use<> {
        let Options { table, protocol, priority, .. } = self.options;
        let rule =
            move |family: &u8| Rule { family: *family, table, protocol, priority, is_plain: true };
        self.families().iter().map(rule)
    }

    /// The element that one of our routes is; `None` for a friend, and for what is not as we make
    /// it.
    fn element(&self, route: &Route) -> Option<Element> {
        let element = match route.metric {
            HOST if route.net.prefix_len() == route.net.max_prefix_len() => {
                Element::Host(route.net.addr())
            }
            RANGE => Element::Range(route.net.network(), route.net.broadcast()),
            _ => return None,
        };
        (self.ban(element) == *route).then_some(element)
    }
}

/// One message.
#[derive(Clone, Copy, Debug)]
enum Step {
    Put(Route),
    Delete(Route),
    PutRule(Rule),
    DeleteRule(Rule),
}

fn read_rule(message: &Message<'_>, rules: &mut Vec<Rule>) {
    rules.extend(Rule::read(message));
}

impl Backend for Routes {
    fn name(&self) -> &'static str {
        "route"
    }

    fn shape(&self) -> Shape {
        Shape::Prefixes
    }

    fn expires(&self) -> bool {
        false
    }

    fn prepare(&mut self) -> Result<bool, Error> {
        let found = self.rules()?;
        let wanted: Vec<_> = self.wanted_rules().collect();
        // The new one before the old one goes.
        let missing = wanted.iter().filter(|rule| !found.contains(rule)).copied();
        let mut steps: Vec<_> = missing.map(Step::PutRule).collect();
        let stale = found.iter().filter(|rule| !wanted.contains(rule)).copied();
        steps.extend(stale.map(Step::DeleteRule));
        let is_changed = !steps.is_empty();
        self.send("make the routing rules", steps)?;
        Ok(is_changed)
    }

    fn begin_list(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn list_some(&mut self, held: &mut Vec<Held>) -> Result<bool, Error> {
        held.extend(self.missing.list()?);
        let routes = self.read()?;
        let elements = routes.iter().filter_map(|route| self.element(route));
        held.extend(elements.map(|element| Held { element, until: None }));
        Ok(true)
    }

    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error> {
        let (here, missing): (Vec<Edit>, Vec<Edit>) =
            edits.iter().partition(|edit| self.has_v6 || edit.element().family() == Family::V4);
        self.missing.apply(&missing)?;
        // What takes over from a range that goes comes first.
        let (gone, put): (Vec<Edit>, Vec<Edit>) =
            here.into_iter().partition(|edit| matches!(edit, Edit::Remove(_)));
        let steps: Vec<_> = put
            .iter()
            .map(|edit| Step::Put(self.ban(edit.element())))
            .chain(gone.iter().map(|edit| Step::Delete(self.ban(edit.element()))))
            .collect();
        self.send("change the routes", steps)
    }

    fn rebuild(
        &mut self,
        elements: &mut dyn Iterator<Item = (Element, Time)>,
    ) -> Result<(), Error> {
        let wanted: Vec<_> = elements.collect();
        let (here, missing): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .partition(|(element, _)| self.has_v6 || element.family() == Family::V4);
        self.missing.rebuild(&mut missing.into_iter())?;
        let wanted: std::collections::HashSet<_> =
            here.iter().map(|(element, _)| self.ban(*element)).collect();
        let found = self.read()?;
        let stale = found.into_iter().filter(|route| route.metric != FRIEND);
        let stale: Vec<_> = stale.filter(|route| !wanted.contains(route)).collect();
        // One that differs in its kind only has just been replaced.
        let kept = |route: &Route| {
            let ours = |kind| wanted.contains(&Route { kind, ..*route });
            [Kind::BLACKHOLE, Kind::PROHIBIT, Kind::UNREACHABLE, Kind::THROW].into_iter().any(ours)
        };
        let gone = stale.iter().filter(|route| !kept(route)).copied().map(Step::Delete);
        let steps: Vec<_> = wanted.iter().copied().map(Step::Put).chain(gone).collect();
        self.send("rebuild the routes", steps)?;
        Ok(())
    }

    fn befriend(&mut self, friends: &[IpNet]) -> Result<bool, Error> {
        let found = self.read()?;
        self.friends = Friends::new(friends);
        let wanted: Vec<_> = (friends.iter().filter(|net| self.is_here(net)))
            .map(|net| self.route(net.trunc(), FRIEND, Kind::THROW))
            .collect();
        let present: std::collections::HashSet<_> = found.iter().copied().collect();
        let mut steps: Vec<_> = wanted
            .iter()
            .filter(|route| !present.contains(route))
            .copied()
            .map(Step::Put)
            .collect();
        let wanted: std::collections::HashSet<_> = wanted.into_iter().collect();
        for route in &found {
            match route.metric {
                FRIEND if !wanted.contains(route) => steps.push(Step::Delete(*route)),
                // Bans that lie in a friend's prefix now, or do no more.
                HOST | RANGE => {
                    let element = match route.metric {
                        HOST => Element::Host(route.net.addr()),
                        _ => Element::Range(route.net.network(), route.net.broadcast()),
                    };
                    let ban = self.ban(element);
                    if ban != *route {
                        steps.push(Step::Put(ban));
                    }
                }
                _ => {}
            }
        }
        let is_changed = !steps.is_empty();
        self.send("let friends through", steps)?;
        Ok(is_changed)
    }

    fn look_up(&mut self, address: std::net::IpAddr) -> Result<Vec<Hit>, Error> {
        let held = self.list()?;
        let holding = held
            .into_iter()
            .filter(|held| (held.element.first()..=held.element.last()).contains(&address));
        Ok(holding
            .map(|held| Hit { element: held.element, until: held.until, dropped: None })
            .collect())
    }

    fn dropped(&mut self) -> Result<PerFamily<Counts>, Error> {
        Ok(PerFamily::default())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let rules: Vec<_> = self.rules()?.into_iter().map(Step::DeleteRule).collect();
        let routes: Vec<_> = self.read()?.into_iter().map(Step::Delete).collect();
        self.missing.flush()?;
        self.send("delete the routes", rules.into_iter().chain(routes))?;
        Ok(())
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        Some(self.monitor.as_fd())
    }

    fn disturbed(&mut self) -> Result<bool, Error> {
        let Options { table, protocol, .. } = self.options;
        let mut is_ours = false;
        let heard = self.monitor.drain(&mut |message| {
            is_ours |= Route::read(message).is_some_and(|route| route.table == table);
            is_ours |= Rule::read(message)
                .is_some_and(|rule| rule.table == table && rule.protocol == protocol);
        });
        match heard {
            Ok(()) => Ok(is_ours),
            // Something was missed: perhaps it was about us.
            Err(netlink::Error::Overrun) => Ok(true),
            Err(source) => Err(Error::Kernel { what: "listen to changes of routes", source }),
        }
    }
}
