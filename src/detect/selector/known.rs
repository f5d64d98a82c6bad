//! What is known of the event that scenarios are asked about.

use std::num::NonZeroU64;

use crate::detect::expression::Variables;
use crate::detect::key::GroupHash;
use crate::detect::neighbours;
use crate::event::Event;
use crate::expr::World;
use crate::value::Slot;

/// What was found out last about the event: scenarios about the same kind of event mostly have the
/// same filter and group alike.
pub(super) struct Known<'a> {
    pub(super) variables: Variables<'a>,
    pub(super) event: &'a Event<'a>,
    /// A filter by its number, and its truth, until something may have written into the event.
    pub(super) filter: Option<(u32, bool)>,
    /// The text of a field that scenarios group by, for as long.
    pub(super) field: Option<(Slot, &'a str)>,
    pub(super) group: Option<(&'a str, GroupHash)>,
    pub(super) distinct: Option<(&'a str, NonZeroU64)>,
    /// The address that the event is about and what it is counted under, if that is another.
    pub(super) around: Option<Option<(&'a str, &'a str)>>,
    /// What tells its buckets from those of lines that are believed.
    pub(super) limited: Option<GroupHash>,
    /// Whether one of those that take the event may ask for all of it later.
    pub(super) whole: bool,
}

impl<'a> Known<'a> {
    pub(super) fn new(event: &'a Event<'a>, world: &'a World) -> Self {
        let variables = Variables::of_event(event, world);
        Self {
            variables,
            event,
            filter: None,
            field: None,
            group: None,
            distinct: None,
            around: None,
            limited: None,
            whole: false,
        }
    }
}

impl<'a> Known<'a> {
    /// The group value with the network of the event's address in its place.
    #[inline]
    pub(super) fn widened(&mut self, group: &'a str, ip: Option<Slot>, length: u8) -> &'a str {
        let (event, arena) = (self.event, self.event.arena());
        let around = *self.around.get_or_insert_with(|| {
            let ip = event.get(ip?)?;
            Some((ip, neighbours::around(ip, length, arena)?))
        });
        match around {
            None => group,
            Some((ip, network)) => neighbours::instead(group, ip, network, arena),
        }
    }
}
